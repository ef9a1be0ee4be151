"""Persons that last."""
