"""Direct messages, rooms, announcements."""
