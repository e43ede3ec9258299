"""Tests of the probes: what they read from real answers and from strange ones."""
