"""The servers that tests start, and the clients that tests ask them with."""

ENDED = "the source has ended"
"""What a source of the watched application says in its log."""
