"""Runs against hostile and broken targets: each ends in time, says the right thing, and leaves a record."""
