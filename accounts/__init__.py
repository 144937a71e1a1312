"""Who is who: users, login, and who is asking."""
