"""An order has a day, `date`; the moment, which `date` was before, is `created_at`."""

import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import TruncDate


def set_days(apps, schema_editor):
    """Give each order the day of its moment, in the time zone of the project."""
    day = TruncDate('created_at', tzinfo=django.utils.timezone.get_default_timezone())
    orders = apps.get_model('orders', 'Order').objects.using(schema_editor.connection.alias)
    orders.order_by().update(date=day)


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0002_pages'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='order',
            name='orders_orde_date_b374ae_idx',
        ),
        migrations.RemoveIndex(
            model_name='order',
            name='orders_orde_user_id_328667_idx',
        ),
        migrations.AlterModelOptions(
            name='order',
            options={'ordering': ('-created_at', '-pk')},
        ),
        migrations.RenameField(
            model_name='order',
            old_name='date',
            new_name='created_at',
        ),
        migrations.AlterField(
            model_name='order',
            name='created_at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.AddField(
            model_name='order',
            name='date',
            field=models.DateField(default=django.utils.timezone.localdate),
        ),
        migrations.RunPython(set_days, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['-created_at', '-id'], name='orders_orde_created_f2fe3a_idx'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['user', '-created_at', '-id'], name='orders_orde_user_id_81d00f_idx'),
        ),
    ]
