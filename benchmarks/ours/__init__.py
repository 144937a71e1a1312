"""Clew, as it is."""
