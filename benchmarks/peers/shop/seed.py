"""Fill the database as `benchmarks.ours.seed` does."""

import django
from django.core.management import call_command

django.setup()

from benchmarks.peers.shop.models import Message, Order, User  # noqa: E402  (needs the apps)

call_command("migrate", run_syncdb=True, verbosity=0)
users = User.objects.bulk_create(
    User(pk=number, username=f"user_{number}", email=f"user_{number}@example.org")
    for number in range(1, 1_001)
)
Order.objects.bulk_create(Order(pk=user.pk, user=user) for user in users)
Message.objects.bulk_create(
    Message(sender=users[0], recipient=users[1], content=f"Message {number}")
    for number in range(100)
)
