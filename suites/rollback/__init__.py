"""Rollback Plan: what would make us go back, and how we would."""
