"""Drills: their engine in a small world of real processes, and one for real on the reference deployment."""
