"""Scheduled runs against a deployment that has lived."""
