"""Tests of the pytest plugin: one file for each thing a user types or sees."""
