"""Messages as the pages show them: each kind of part by what it is."""

from traces.admin.texts import shown_messages, sources_of
from traces.reading.conversation import message_key


def part(**fields):
    ((found,),) = [message.parts for message in shown_messages([{"role": "assistant", "parts": [fields]}])]
    return found


def test_a_hosted_tools_call_says_who_runs_it_and_what_kept_it():
    call = {"type": "tool_call", "id": "c", "name": "stops", "arguments": {"q": 1}, "hosted": "mcp_call"}
    assert part(**call, server="transit", status="failed").label == "calls stops (of transit, failed)"
    assert part(**call).label == "calls stops (hosted)"
    assert part(type="tool_call", id="c", name="f", arguments=None).label == "calls f"


def test_a_result_with_media_names_them():
    media = {"type": "media", "modality": "image", "mime_type": "image/png", "uri": "", "name": "a.png"}
    found = part(type="tool_result", id="c", name="f", result=[media, {"type": "text", "text": "the page"}])
    assert (found.label, found.body.whole) == ("result of f", "[image/png a.png]\nthe page")


def test_a_result_without_a_name_has_that_of_its_call():
    call = {"type": "tool_call", "id": "c", "name": "weather", "arguments": {}}
    result = {"type": "tool_result", "id": "c", "name": "", "result": "sunny"}
    shown = shown_messages([{"role": "assistant", "parts": [call]}, {"role": "user", "parts": [result]}])
    assert shown[1].parts[0].label == "result of weather"
    assert part(**result).label == "result of c"


def test_speech_shows_what_was_said_and_files_their_names():
    media = {"type": "media", "modality": "audio", "mime_type": "audio/wav", "uri": ""}
    said = part(**media, transcript="Hello")
    assert (said.type, said.label, said.body.whole) == ("speech", "audio/wav: what was said", "Hello")
    assert part(**media, name="a.pdf", file_id="file-1").body.whole == "a.pdf · file-1"
    assert "held by the span" in part(**media).body.whole


def test_an_unknown_part_is_shown_by_its_type_and_json():
    found = part(type="unknown", name="compaction", value={"note": "short"})
    assert (found.type, found.label, found.body.is_code) == ("unknown", "compaction", True)
    assert '"note": "short"' in found.body.whole


def test_the_sources_of_a_text_are_links_only_where_they_are_web_addresses():
    citations = [
        {"type": "url_citation", "url": "https://x", "title": "X"},
        {"type": "url_citation", "url_citation": {"url": "https://x", "title": "X"}},
        {"type": "url_citation", "url": "javascript:alert(1)", "title": "bad"},
        {"type": "file_citation", "file_id": "file-1"},
        "nonsense",
    ]
    assert sources_of(citations) == [("X", "https://x"), ("bad", ""), ("file-1", "")]


def test_messages_differ_by_what_was_said_by_their_files_and_by_unknown_parts():
    media = {"type": "media", "modality": "audio", "mime_type": "", "uri": ""}
    others = [
        media | {"transcript": "a"}, media | {"transcript": "b"}, media | {"file_id": "f"},
        {"type": "unknown", "name": "x", "value": {"a": 1}}, {"type": "unknown", "name": "x", "value": {"a": 2}},
    ]  # fmt: skip
    assert len({message_key({"role": "user", "parts": [other]}) for other in others}) == len(others)
