"""Tests of claims: envelopes, signatures, roles, and what counts."""
