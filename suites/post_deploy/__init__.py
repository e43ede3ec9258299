"""Phase post_deploy of the checklist."""
