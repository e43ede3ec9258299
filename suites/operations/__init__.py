"""Operational Readiness: documentation, backup and recovery, maintenance (items 64 to 76)."""
