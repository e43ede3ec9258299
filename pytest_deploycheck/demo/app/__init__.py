"""The token service of the reference deployment: a production-shaped API, configured by its environment."""
