"""Tests of `deploycheck init`: what is found in projects, and what is written."""
