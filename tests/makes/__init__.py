"""Whole deployments of other makes than the reference's own."""
