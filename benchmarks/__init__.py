"""Clew beside the limits of its servers and beside its peers: `python -m benchmarks`."""
