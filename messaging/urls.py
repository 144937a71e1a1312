"""The plain HTTP of messaging."""

from django.urls import path

from messaging.views import publish_message

urlpatterns = [path("publish-message", publish_message, name="publish-message")]
