"""The servers that tests start, and the clients that tests ask them with."""
