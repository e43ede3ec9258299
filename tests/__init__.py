"""Tests of the plugin; they mirror the package."""
