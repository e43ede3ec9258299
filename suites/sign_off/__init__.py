"""Phase sign_off of the checklist."""
