"""Phase go_live of the checklist."""
