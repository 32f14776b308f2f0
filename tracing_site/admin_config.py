"""Makes TracingAdminSite the site that every `admin.py` registers with."""

from django.contrib.admin.apps import AdminConfig


class TracingAdminConfig(AdminConfig):
    default_site = "tracing_site.admin_site.TracingAdminSite"
