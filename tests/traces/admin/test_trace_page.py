"""What the page of a trace shows and leads to: images that its spans hold, where time and money went."""

import base64
import json

import pytest

from tests.builders import export_request, new_span_id, new_trace_id, span
from tests.traces.admin.test_pages import LIST, page, store
from tests.traces.admin.test_pages import viewer as viewer
from traces.admin.span_images import MAX_IMAGES, images
from traces.models import Trace
from traces.otlp.receiver import export

pytestmark = pytest.mark.django_db
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(61)).decode()


def panel(client, trace: Trace) -> str:
    return client.get(f"{LIST}{trace.pk}/spans/{trace.root_span_id}/").content.decode()


@pytest.mark.parametrize(
    "value",
    [
        f"data:image/png;base64,{PNG}",
        json.dumps([{"type": "blob", "mime_type": "image/png", "content": PNG}]),
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        json.dumps({"messages": json.dumps([{"image_url": {"url": f"data:image/png;base64,{PNG}"}}])}),
    ],
)
def test_an_image_in_a_span_is_shown(viewer, project, value):
    html = panel(viewer, store(project, attrs={"input": value}))
    assert f'<img src="data:image/png;base64,{PNG}" alt="Image 1 of the span"' in html


def test_images_come_once_and_in_order_and_from_events_too(project):
    event = {"name": "gen_ai.user.message", "attributes": [{"key": "content", "value": {"string_value": JPEG}}]}
    text = json.dumps([PNG, PNG, "data:image/svg+xml;base64," + "A" * 80])
    found = images(store(project, attrs={"input.value": text}, events=[event]).spans.get())
    assert found == [f"data:image/png;base64,{PNG}", f"data:image/jpeg;base64,{JPEG}"]


def test_so_many_images_as_a_page_can_show(project):
    many = [PNG[:-2] + f"{number:02}" for number in range(MAX_IMAGES + 5)]
    assert len(images(store(project, attrs={"input.value": json.dumps(many)}).spans.get())) == MAX_IMAGES


def export_calls(project, costs) -> Trace:
    """A root with a model call for each cost; the second call is the longest."""
    trace_id, root = new_trace_id(), new_span_id()
    calls = [
        span(
            f"call {number}",
            trace_id=trace_id,
            parent_span_id=root,
            duration_ns=900_000_000 if number == 1 else 1_000_000,
            attrs={"openinference.span.kind": "LLM", "llm.token_count.prompt": 10, "llm.cost.total": cost},
        )
        for number, cost in enumerate(costs)
    ]
    export(export_request(span("run", trace_id=trace_id, span_id=root, duration_ns=1_000_000_000), *calls), project)
    return Trace.objects.get(trace_id=trace_id)


def test_the_head_leads_to_the_slowest_and_the_dearest_spans(viewer, project):
    html = viewer.get(page(export_calls(project, [0.25, 0.0, 0.5, 0.125, 0.1]))).content.decode()
    hotspots = html.partition('class="hotspots"')[2].partition("</dl>")[0]
    names = [part.partition("</a>")[0].rpartition(">")[2] for part in hotspots.split("<a ")[1:]]
    assert names == ["call 1", "run", "call 0", "call 2", "call 0", "call 3"]
    assert "900 ms" in hotspots
    assert "$0.5000" in hotspots


def test_a_trace_that_a_glance_takes_in_has_no_hotspots(viewer, project):
    assert 'class="hotspots"' not in viewer.get(page(export_calls(project, [0.25, 0.5]))).content.decode()


def test_the_totals_explain_what_cost_most_first_and_rows_name_their_cost(viewer, project):
    html = viewer.get(page(export_calls(project, [0.25, 0.0, 0.5]))).content.decode()
    table = html.partition('<details class="usage">')[2].partition("</table>")[0]
    assert table.index("call 2") < table.index("call 0") < table.index("call 1")
    assert '<span class="cost">$0.5000</span>' in html
