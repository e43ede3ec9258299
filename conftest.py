"""The plugin is found by its entry point; a project's own probes and fixtures would stand here."""
