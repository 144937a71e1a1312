"""The orders and messages of the Django peers: plain models, without an engine."""
