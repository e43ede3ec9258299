"""Load tests that really run: Locust against a small server."""
