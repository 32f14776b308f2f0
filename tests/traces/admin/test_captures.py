"""Every page of every captured trace opens and shows all of its spans."""

import pytest

from tests.corpus import FAMILIES, capture
from traces.models import Trace
from traces.otlp.receiver import export
from traces.reading.queries import load_spans


@pytest.mark.parametrize("family", FAMILIES)
def test_every_captured_trace_and_span_opens(family, project, admin_client):
    for request in capture(family).requests:
        export(request, project)
    traces = list(Trace.objects.all())
    assert traces
    for trace in traces:
        address = f"/admin/traces/trace/{trace.pk}/"
        html = admin_client.get(f"{address}change/").content.decode()
        spans = load_spans(trace, payload=False)
        assert [f'data-span="{span.span_id}"' in html for span in spans] == [True] * trace.span_count
        for span in spans:
            panel = admin_client.get(f"{address}spans/{span.span_id}/")
            assert panel.status_code == 200
            assert f'data-panel="{span.span_id}"' in panel.content.decode()
