"""Clew from the outside, by the clients of others."""
