"""Payloads of frameworks that trace themselves in words of their own, and of what their instrumentations make of them.

Recorded against a fake model server each of whose calls has token counts of its own, with some of the input cached and
some of the output reasoning.
"""

import pytest

from spans.semconv import content
from tests.spans.semconv.test_sdk_payloads import spans, summaries

SUNNY = "It is sunny in Brno. C"
WEATHER_CALL = 'get_weather({"city": "Brno"})'
# name, status, input tokens, output tokens, session, user, beginning of the output
TRACES = {
    "azure-ai-inference": [
        ("chat gpt-4o-mini", "OK", 151, 61, "", "", SUNNY),
        ("chat gpt-4o-mini", "OK", 152, 62, "", "", WEATHER_CALL),
        ("chat gpt-4o-mini", "OK", 153, 63, "", "", SUNNY),
        ("chat x-500", "ERROR", None, None, "", "", ""),
    ],
    "openinference-failures": [
        ("Completions", "OK", None, None, "", "", ""),
        ("lim", "ERROR", None, None, "", "", ""),
    ],
}


@pytest.mark.parametrize("family", TRACES)
def test_traces_have_their_status_totals_session_user_and_output(family):
    found = summaries(family)
    assert [trace[:6] for trace in found] == [trace[:6] for trace in TRACES[family]]
    for trace, expected in zip(found, TRACES[family], strict=True):
        assert trace[6].startswith(expected[6]), expected
        assert bool(trace[6]) == bool(expected[6]), expected


def parts(messages):
    return [(message["role"], [part["type"] for part in message["parts"]]) for message in messages]


def test_azures_events_hold_whole_messages_as_json():
    calls = spans("azure-ai-inference", "chat gpt-4o-mini")
    first, asking, answering = (content(call) for call in calls)
    assert parts(first.input_messages) == [("system", ["text"]), ("user", ["text"])]
    assert asking.output_messages[0]["parts"] == [
        {"type": "tool_call", "id": "call_52", "name": "get_weather", "arguments": {"city": "Brno"}}
    ]
    assert answering.input_messages[-1]["parts"][0] == {
        "type": "tool_result", "id": "call_52", "name": None, "result": "sunny",
    }  # fmt: skip
    assert calls[0].input_preview == "hi"


def test_neither_an_unread_stream_nor_the_response_to_a_failed_request_is_an_answer():
    (stream,) = spans("openinference-failures", "Completions")
    assert (stream.input_preview, stream.output_preview) == ("hi stream", "")
    (failed,) = spans("openinference-failures", "ChatOpenAI")
    assert (failed.output_preview, content(failed).output_text) == ("", "")
    assert content(failed).error_message == "Error code: 429 - Rate limit reached"
