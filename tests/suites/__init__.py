"""Tests of the checks as functions: made-up facts, one of which is wrong."""
