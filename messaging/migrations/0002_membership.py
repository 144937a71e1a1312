
import django.db.models.deletion
import django.db.models.manager
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('messaging', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('_rows', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AlterModelManagers(
            name='room',
            managers=[
                ('objects', django.db.models.manager.Manager()),
                ('_rows', django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name='room',
            name='is_public',
            field=models.BooleanField(default=True, help_text='Any user may read and write here; else its members.'),
        ),
        migrations.AlterField(
            model_name='message',
            name='recipient',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='received_messages', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='message',
            name='sender',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='sent_messages', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='roommessage',
            name='room',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='messaging.room', to_field='name'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['sender', 'id'], name='messaging_m_sender__b6d70f_idx'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['recipient', 'id'], name='messaging_m_recipie_46dd58_idx'),
        ),
        migrations.AddIndex(
            model_name='roommessage',
            index=models.Index(fields=['room', 'id'], name='messaging_r_room_id_a5d5f8_idx'),
        ),
        migrations.AddField(
            model_name='membership',
            name='room',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='messaging.room'),
        ),
        migrations.AddField(
            model_name='membership',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.UniqueConstraint(fields=('room', 'user'), name='one_membership_a_room'),
        ),
    ]
