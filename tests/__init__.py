"""Weir's tests. The servers they use are real (`tests/servers.py`)."""
