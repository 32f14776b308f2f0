"""The ASGI application that `manage.py web` serves: the gate in front of Django, in the layers of `serving.edge`."""

import os

from django.core.wsgi import get_wsgi_application

from tracing_site.process import prepare_process

prepare_process()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing_site.settings")
django_application = get_wsgi_application()

from traces.otlp.gate import Gate  # noqa: E402 - our modules can be imported only now
from traces.otlp.self_tracing import start_exporting  # noqa: E402
from tracing_site.serving.edge import OnlyPath, Probes, RequestLog  # noqa: E402
from tracing_site.serving.password_lane import PasswordLane  # noqa: E402
from tracing_site.serving.strangers_lane import StrangersLane  # noqa: E402

start_exporting()

lanes = PasswordLane(django_application), StrangersLane(django_application)
application = RequestLog(Probes(django_application, Gate(django_application, *lanes)))
# Beside gRPC, on METRICS_PORT
operations_application = RequestLog(Probes(django_application, OnlyPath(django_application, "/metrics")))
