"""Ariadne, Channels and the ORM, put together as their documentation says."""
