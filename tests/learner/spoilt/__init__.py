"""Modules of a user that cannot be imported."""
