"""What Django serves; /graphql/ is routed in asgi.py."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from django_project import views
from django_project.metrics import metrics

admin.site.site_header = admin.site.site_title = "Clew"

urlpatterns = [
    path("", views.start, name="start"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}clew.svg")),
    path("docs/", views.page, name="docs"),
    path("docs/<slug:name>.md", views.page, name="docs-page"),
    path("admin/", admin.site.urls),
    path("metrics", metrics, name="metrics"),
    path("", include("messaging.urls")),
]
