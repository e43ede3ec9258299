"""A production deployment checklist, executed by pytest."""
