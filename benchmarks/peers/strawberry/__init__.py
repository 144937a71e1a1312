"""Strawberry over Channels."""
