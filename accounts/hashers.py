"""How passwords are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class PasswordHasher(Argon2PasswordHasher):
    """Argon2id with parameters for a server: Django's take 100 MiB and 8 threads for each login.

    Twice the work of OWASP's first configuration (Password Storage Cheat Sheet): some 80 ms of
    one processor, without the GIL. So much memory goes back to the system at once.
    """

    time_cost = 2
    memory_cost = 46 * 1024
    """KiB."""
    parallelism = 1
