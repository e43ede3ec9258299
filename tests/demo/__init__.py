"""Tests of the reference deployment."""
