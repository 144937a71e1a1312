"""Fill the database: 1,000 users, 1,000 orders, 100 messages of the first user."""

import django
from django.core.management import call_command

django.setup()

from accounts.models import User  # noqa: E402  (the apps must be ready)
from messaging.models import Message  # noqa: E402
from orders.models import Order  # noqa: E402

call_command("migrate", verbosity=0)
users = User.objects.bulk_create(
    User(pk=number, username=f"user_{number}", email=f"user_{number}@example.org")
    for number in range(1, 1_001)
)
Order.objects.bulk_create(Order(pk=user.pk, user=user) for user in users)
Message.objects.bulk_create(
    Message(sender=users[0], recipient=users[1], content=f"Message {number}")
    for number in range(100)
)
