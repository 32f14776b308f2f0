"""The Django application, for the threads behind tracing_site.asgi."""

import os

from django.core.wsgi import get_wsgi_application

from tracing_site.process import prepare_process

prepare_process()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing_site.settings")

application = get_wsgi_application()
