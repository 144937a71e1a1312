"""A small app that stands for somebody's project: what the engine's tests publish."""
