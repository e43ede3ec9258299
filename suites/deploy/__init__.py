"""Phase deploy of the checklist."""
