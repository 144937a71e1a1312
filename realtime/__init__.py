"""A realtime GraphQL engine for Django: nothing is lost, and an event is executed once.

Models are never imported here: import them from `realtime.models`, `realtime.published`.
"""
