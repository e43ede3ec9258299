"""The suites: each checklist item as a pytest test, a folder for each phase."""
