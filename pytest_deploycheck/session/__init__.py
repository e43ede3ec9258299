"""The pytest side of a run: collection, fixtures, outcomes, workers. Nothing else imports pytest."""
