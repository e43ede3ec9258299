"""The demo's container engine: a real one in namespaces of its own, and the Compose project that runs there."""
