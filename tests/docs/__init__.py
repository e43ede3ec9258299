"""The docs are tested: complete, up to date, and their snippets work."""
