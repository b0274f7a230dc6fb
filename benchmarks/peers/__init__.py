"""Servers of the same River model by other tools; each file is run in that tool's environment."""
