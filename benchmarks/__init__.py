"""Measurements: how fast seasons are loaded, transformed and published. Numbers, not passes: see README.md."""
