"""What the page of a trace shows and leads to: images that its spans hold, where time and money went."""

import base64
import json

import pytest

from tests.traces.test_admin import LIST, store
from tests.traces.test_admin import viewer as viewer
from traces.models import Trace
from traces.span_images import MAX_IMAGES, images

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
