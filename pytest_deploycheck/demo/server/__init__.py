"""The demo's server: a real SSH server on loopback, and in front of its PATH what runs as services elsewhere."""
