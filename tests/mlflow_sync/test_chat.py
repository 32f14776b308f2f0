"""Normalized messages in the shape that MLflow draws: nothing of them is lost, and calls come before their results."""

import pytest

from mlflow_sync.chat import chat_messages

CALL = {"type": "tool_call", "id": "c", "name": "web_search", "arguments": {"q": 1}, "hosted": "web_search_call"}
RESULT = {"type": "tool_result", "id": "c", "name": "web_search", "result": [{"url": "u"}]}
MEDIA = {"type": "media", "modality": "audio", "mime_type": "audio/wav", "uri": ""}


def test_a_hosted_tools_result_follows_its_call():
    call, result = chat_messages([{"role": "assistant", "parts": [CALL, RESULT]}])
    assert call["tool_calls"][0]["function"] == {"name": "web_search", "arguments": '{"q":1}'}
    assert result == {"role": "tool", "tool_call_id": "c", "content": '[{"url": "u"}]'}


def test_results_that_a_user_sends_come_before_what_the_user_says():
    found = chat_messages([{"role": "user", "parts": [RESULT, {"type": "text", "text": "and now?"}]}])
    assert [message["role"] for message in found] == ["tool", "user"]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (MEDIA | {"transcript": "Hello"}, "Hello"),
        (MEDIA | {"name": "a.wav"}, "[audio: a.wav]"),
        (MEDIA | {"file_id": "file-1"}, "[audio: file-1]"),
        (MEDIA, "[audio: audio/wav]"),
        ({"type": "unknown", "name": "compaction", "value": {"note": "short"}}, '[compaction] {"note":"short"}'),
    ],
)
def test_media_and_unknown_parts_are_named(part, text):
    assert chat_messages([{"role": "assistant", "parts": [part]}]) == [{"role": "assistant", "content": text}]


def test_a_result_with_an_image_names_it():
    image = {"type": "media", "modality": "image", "mime_type": "image/png", "uri": ""}
    (found,) = chat_messages([{"role": "tool", "parts": [RESULT | {"result": [image]}]}])
    assert found["content"] == "[image/png]"


def test_what_nobody_said_is_the_systems():
    unknown = {"type": "unknown", "name": "handoff", "value": {}}
    assert chat_messages([{"role": "other", "parts": [unknown]}])[0]["role"] == "system"
