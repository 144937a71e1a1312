"""Clients that mean harm, each in a process of its own: `python -m benchmarks.attacks NAME`."""
