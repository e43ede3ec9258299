"""Tests of the core: checklist, verdicts, target files, redaction, gathering, transports."""
