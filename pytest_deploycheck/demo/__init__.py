"""The reference deployment: a small token service in production shape, built from packages."""
