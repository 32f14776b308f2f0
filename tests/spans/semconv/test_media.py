"""Bytes never stand where text belongs: not in messages, results, values, previews, whole or cut off."""

import base64
import json
import random
import time

import pytest

from spans.records import SpanRecord
from spans.semconv import content, normalize
from spans.semconv.media import without_bytes, without_bytes_in_text
from spans.semconv.messages import messages_of

_random = random.Random(1)
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + _random.randbytes(3000)).decode()
BYTES = _random.randbytes(3000)
BASE64 = base64.b64encode(BYTES).decode()
HIGH_BYTES = bytes(_random.randrange(128, 256) for _ in range(300))
NODE_BYTES = {"type": "Buffer", "data": [137, 80, 78]}
WRAPPED = base64.encodebytes(BYTES).decode()
IMAGE_BLOCK = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"see {PNG} there", "see [image/png, 3 KB] there"),
        (f"see {BASE64} there", "see [base64, 3 KB] there"),
        (f"see data:image/webp;base64,{BASE64}", "see [image/webp, 3 KB]"),
        ("see data:image/png;base64,iVBORw0K", "see [image/png, 6 bytes]"),
        ("![a](data:image/svg+xml;charset=utf-8;base64,PHN2Zz48L3N2Zz4=)", "![a]([image/svg+xml, 12 bytes])"),
        (f'{{"data": "{PNG[:40]}', '{"data": "[image/png, 30 bytes]'),
        (f'{{"data": "{BASE64[:300]}', '{"data": "[base64, 225 bytes]'),
        (f"$ base64 photo\n{WRAPPED}$ ", "$ base64 photo\n[base64, 3 KB]\n$ "),
        (json.dumps(f"photo {WRAPPED} end"), '"photo [base64, 3 KB]\\n end"'),
        (f"{BASE64}, {BASE64}", "[base64, 3 KB], [base64, 3 KB]"),
        (BASE64.replace("+", "-").replace("/", "_"), "[base64, 3 KB]"),
        ("é" * 90 + BASE64, "é" * 90 + "[base64, 3 KB]"),
        (f"read {HIGH_BYTES!r}, done", "read [300 bytes], done"),
        (json.dumps({"data": repr(HIGH_BYTES)}), '{"data": "[300 bytes]"}'),
        (repr({"image": HIGH_BYTES + b"'"}), "{'image': [301 bytes]}"),
        (repr(HIGH_BYTES)[:203], "[50 bytes]"),
        (json.dumps({"file": NODE_BYTES, "n": 1}), '{"file": "[3 bytes]", "n": 1}'),
        (json.dumps(NODE_BYTES, separators=(",", ":")), '"[3 bytes]"'),
        (json.dumps(json.dumps(NODE_BYTES)), r'"\"[3 bytes]\""'),
        (json.dumps(NODE_BYTES)[:-7], '"[2 bytes]"'),
    ],
    ids=range(20),
)
def test_base64_is_replaced_by_what_it_is(text, expected):
    assert without_bytes_in_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5000,
        "GATTACA" * 100,
        "0123456789abcdef" * 20,
        "/usr/Local/lib/python3/" * 20,
        "\n".join(f"User{number}Name" for number in range(200)),
        "日本語" * 300,
        "The ;base64, marker and iVBORw0KGgo are named here.",
        "eyJhbGciOiJIUzI1NiJ9." + "a1B2" * 40,
        r"C:\xampp\x64 and b'\x00\x01', a grub'" + r"\x41" * 50,
    ],
    ids=range(9),
)
def test_what_is_no_base64_stays(text):
    assert without_bytes_in_text(text) == text


@pytest.mark.parametrize("length", [200, 250, 299, 1000])
def test_a_run_is_found_wherever_it_begins(length):
    for offset in range(0, 210, 7):
        assert BASE64[10:60] not in without_bytes_in_text("é " * (offset // 2) + f'"{BASE64[:length]}"')


def test_values_lose_their_bytes_at_any_depth_and_what_has_none_stays_the_same_object():
    clean = {"a": ["b", {"c": 1}]}
    assert without_bytes(clean) is clean
    assert without_bytes({"a": [{"b": PNG}], "c": 1}) == {"a": [{"b": "[image/png, 3 KB]"}], "c": 1}
    assert without_bytes({"$bytes": BASE64}) == "[3000 bytes]"
    assert without_bytes([NODE_BYTES]) == ["[3 bytes]"]


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 199 + " ",
        "A1b/" * 15 + "\n",
        "data:image/png",
        ";base64,",
        "data:a/b;base64,\\n",
        "iVBORw0KGgo",
        "/9j/2",
        BASE64[:150] + '"',
        "=",
        "b'\\x",
        "b'\\",
        'b"\\x89',
        '{"type": "Buffer", "data": [1, ',
        '\\"Buffer',
    ],
)
def test_looking_for_bytes_takes_time_in_proportion_to_the_text(hostile):
    def seconds(characters: int) -> float:
        text = hostile * (characters // len(hostile))
        started = time.process_time()
        without_bytes_in_text(text)
        return time.process_time() - started

    assert seconds(1_000_000) < 30 * max(seconds(100_000), 0.01)


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
def test_blocks_written_into_a_text_are_parts(separators):
    blocks = [
        {"type": "text", "text": "Describe it."},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    text = json.dumps(blocks, separators=separators)
    for message in (
        {"role": "user", "parts": [{"type": "text", "content": text}]},
        {"role": "user", "content": text},
        {"role": "user", "content": [{"type": "text", "text": json.dumps([{"type": "text", "text": text}])}]},
    ):
        ((words, image),) = [found["parts"] for found in messages_of([message])]
        assert words == {"type": "text", "text": "Describe it."}
        assert (image["type"], image["mime_type"], image["uri"]) == ("media", "image/png", "")


@pytest.mark.parametrize(
    "result",
    [
        [IMAGE_BLOCK, {"type": "text", "text": "the page"}],
        {"content": [{"type": "image", "data": PNG, "mimeType": "image/png"}, {"type": "text", "text": "the page"}],
         "isError": False},
        {"type": "content", "value": [{"type": "media", "data": PNG, "mediaType": "image/png"},
                                      {"type": "text", "text": "the page"}]},
    ],
    ids=["anthropic", "mcp", "vercel"],
)  # fmt: skip
def test_an_image_that_a_tool_gave_back_is_a_media_part_of_its_result(result):
    block = {"type": "tool_result", "tool_use_id": "t1", "content": result}
    ((part,),) = [message["parts"] for message in messages_of([{"role": "user", "content": [block]}])]
    assert [item["type"] for item in part["result"]] == ["media", "text"]
    assert part["result"][0]["mime_type"] == "image/png"


def _span(attributes):
    record = SpanRecord("0" * 31 + "1", "0" * 15 + "1", name="s", attributes=attributes)
    normalize(record)
    return record


SIGHTINGS = [
    {"openinference.span.kind": "LLM", "input.value": json.dumps(
        {"messages": [{"role": "user", "content": [IMAGE_BLOCK]}]})},
    {"openinference.span.kind": "LLM", "input.value": json.dumps({"m": IMAGE_BLOCK})[:2000]},
    {"openinference.span.kind": "TOOL", "output.value": json.dumps([IMAGE_BLOCK]),
     "input.value": json.dumps({"i": PNG})},
    {"openinference.span.kind": "TOOL", "output.value": f"photo: {PNG}"},
    {"openinference.span.kind": "CHAIN", "output.value": json.dumps({"answer": WRAPPED}), "input.value": PNG},
    {"openinference.span.kind": "RETRIEVER", "retrieval.documents.0.document.content": f"scan {PNG}"},
    {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(
        [{"role": "user", "parts": [{"type": "tool_call_response", "response": json.dumps({"shot": PNG})},
                                    {"type": "tool_call", "name": "f", "arguments": {"image": PNG}},
                                    {"type": "blob", "mime_type": "image/png", "content": PNG},
                                    {"type": "reasoning", "content": PNG}, {"type": "strange", "bytes": PNG},
                                    {"type": "text", "content": f"see {PNG}"}]}])},
    {"langfuse.observation.type": "generation", "langfuse.observation.output": json.dumps(
        [{"type": "image_generation_call", "result": PNG}, {"type": "odd_call", "data": BASE64}])},
    {"traceloop.span.kind": "tool", "traceloop.entity.output": json.dumps({"output": {"kwargs": {"content": BASE64}}})},
]  # fmt: skip


@pytest.mark.parametrize("attributes", SIGHTINGS, ids=range(len(SIGHTINGS)))
def test_nothing_that_people_read_of_a_span_holds_bytes(attributes):
    record = _span(attributes)
    found = content(record)
    shown = json.dumps(
        [
            record.input_preview, record.output_preview, found.input, found.output, found.input_text, found.output_text,
            found.input_messages, found.output_messages, found.tool_arguments, found.tool_result, found.documents,
        ]
    )  # fmt: skip
    assert PNG[20:60] not in shown
    assert BASE64[20:60] not in shown
    assert any((record.input_preview, record.output_preview, found.documents))
    assert record.attributes == attributes


def test_a_request_of_megabytes_of_images_previews_as_its_question():
    question = {
        "role": "user",
        "content": [{"type": "image", "source": {"data": PNG * 400}}, {"type": "text", "text": "What?"}],
    }
    record = _span(
        {"openinference.span.kind": "LLM", "input.value": json.dumps({"model": "m", "messages": [question]})}
    )
    assert record.input_preview == "What?"
