"""Phase pre_deploy of the checklist."""
