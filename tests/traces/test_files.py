"""The import and the export command: every form of OTLP file, and one the inverse of the other."""

import gzip
import io

import pytest
from django.core.management import CommandError, call_command
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from projects.models import Project
from spans.models import Span, SpanLog
from tests import corpus
from tests.builders import export_request, log_record, logs_request, new_span_id, new_trace_id, span
from traces.models import Trace
from traces.otlp.codec import Encoding, serialize
from traces.otlp.receiver import export

pytestmark = pytest.mark.django_db


def import_traces(*paths, project="first"):
    output = io.StringIO()
    call_command("importtraces", *map(str, paths), project=project, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def export_traces(path, *options):
    output = io.StringIO()
    call_command("exporttraces", str(path), *options, stdout=output)
    return output.getvalue()


def stored(project):
    """Everything that the spans of a project carry, but for keys and what tells when they came."""
    left_out = {"id", "trace_row", "project", "day"}
    fields = [field.attname for field in Span._meta.concrete_fields if field.name not in left_out]
    return sorted(map(repr, Span.objects.filter(project=project).values_list(*fields)))


JSON = serialize(export_request(span("one")), Encoding.JSON)
OTHER_JSON = serialize(export_request(span("two")), Encoding.JSON)
PROTOBUF = export_request(span("one"), span("two")).SerializeToString()
PRETTY = b'{\n  "resourceSpans": ' + JSON.removeprefix(b'{"resourceSpans":').removesuffix(b"}") + b"\n}\n"


LOGS = logs_request(
    log_record("gen_ai.user.message", body={"content": "hi"}, trace_id=new_trace_id(), span_id=new_span_id())
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pb", LOGS.SerializeToString()),
        ("a.json", serialize(LOGS, Encoding.JSON)),
        ("a.jsonl.gz", gzip.compress(serialize(LOGS, Encoding.JSON) + b"\n" + serialize(LOGS, Encoding.JSON))),
    ],
    ids=["protobuf", "json", "json lines"],
)
def test_a_file_of_log_records_is_imported(project, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert "log record" in import_traces(tmp_path)
    assert SpanLog.objects.count() == 1


@pytest.mark.parametrize("family", ["otel-genai-legacy", "otel-genai-latest", "otel-genai-new"])
def test_no_log_record_of_a_capture_is_taken_for_a_span(project, tmp_path, family):
    for name, body in corpus.capture(family).log_bodies.items():
        (tmp_path / name.replace("/", "-")).write_bytes(body)
    assert import_traces(tmp_path).startswith("0 spans and ")
    assert SpanLog.objects.count() >= 10


@pytest.mark.parametrize(
    ("name", "content", "spans"),
    [
        ("a.pb", PROTOBUF, 2),
        ("a.pb.gz", gzip.compress(PROTOBUF), 2),
        ("a.json", JSON, 1),
        ("pretty.json", PRETTY, 1),
        ("a.jsonl", JSON + b"\n" + OTHER_JSON + b"\n", 2),
        ("blank.jsonl", b"\n" + JSON + b"\n\n" + OTHER_JSON, 2),
        ("a.jsonl.gz", gzip.compress(JSON + b"\n" + OTHER_JSON), 2),
        ("no-suffix", JSON, 1),
        ("empty.jsonl", b"", 0),
    ],
    # The contents have random ids: named after them, the processes that run the tests would collect different ones.
    ids=["protobuf", "packed", "json", "pretty", "lines", "blank lines", "packed lines", "no suffix", "empty"],
)
def test_a_file_of_each_form_is_imported(project, tmp_path, name, content, spans):
    (tmp_path / name).write_bytes(content)
    assert f"{spans} spans from 1 files" in import_traces(tmp_path / name)
    assert Span.objects.filter(project=project).count() == spans


def test_a_folder_is_read_to_its_depth_and_other_files_are_left(project, tmp_path):
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "a.json").write_bytes(JSON)
    (tmp_path / "deep/er/b.json").write_bytes(OTHER_JSON)
    (tmp_path / "notes.txt").write_text("not OTLP")
    assert "2 spans from 2 files" in import_traces(tmp_path)


def test_importing_again_changes_nothing(project, tmp_path):
    (tmp_path / "a.pb").write_bytes(PROTOBUF)
    import_traces(tmp_path)
    before = stored(project)
    import_traces(tmp_path)
    assert stored(project) == before


def test_rejected_spans_and_broken_files_are_named_and_the_rest_is_stored(project, tmp_path):
    good = span("good")
    bad = span("bad")
    bad.trace_id = b"short"
    (tmp_path / "a.pb").write_bytes(export_request(good, bad).SerializeToString())
    (tmp_path / "b.json").write_text('{"resourceSpans": 5}')
    (tmp_path / "c.json").write_bytes(OTHER_JSON)
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(JSON)[:40])
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress(JSON)[:10] + b"\xff" * 40)
    complaints = io.StringIO()
    with pytest.raises(CommandError, match="4 problems"):
        call_command("importtraces", str(tmp_path), project="first", stdout=io.StringIO(), stderr=complaints)
    lines = complaints.getvalue().splitlines()
    assert [line.partition(":")[0].rpartition("/")[2] for line in lines] == [
        "a.pb",
        "b.json",
        "d.jsonl.gz",
        "e.jsonl.gz",
    ]
    assert {row.name for row in Span.objects.filter(project=project)} == {"good", "two"}


def test_an_unknown_project_is_answered_with_those_there_are(project, tmp_path):
    with pytest.raises(CommandError, match=r"no project 'nobody'\. Projects: first"):
        import_traces(tmp_path, project="nobody")


def test_a_missing_file_is_named(project, tmp_path):
    with pytest.raises(CommandError, match="nowhere does not exist"):
        import_traces(tmp_path / "nowhere")


@pytest.mark.parametrize("output", ["traces.jsonl", "traces.jsonl.gz", "folder"])
def test_what_was_exported_is_imported_exactly(project, other_project, tmp_path, output):
    for family in ("beeai-ts", "strands", "web-plain", "autogen"):
        for request in corpus.capture(family).requests:
            export(request, project)
    export_traces(tmp_path / output, "--project", "first")
    import_traces(tmp_path / output, project="other")
    assert stored(other_project) == stored(project)
    assert len(stored(project)) > 500


def test_a_line_of_the_export_is_one_whole_trace(project, tmp_path):
    root, trace_id = new_span_id(), new_trace_id()
    spans = [span("root", trace_id=trace_id, span_id=root), span("leaf", trace_id=trace_id, parent_span_id=root)]
    for message in (*spans, span("of another trace", start_ns=1_700_000_001_000_000_000)):
        export(export_request(message), project)
    export_traces(tmp_path / "traces")
    messages = [TracesData.FromString(path.read_bytes()) for path in (tmp_path / "traces").iterdir()]
    names = [
        sorted(message.name for group in data.resource_spans for scope in group.scope_spans for message in scope.spans)
        for data in messages
    ]
    assert sorted(names) == [["leaf", "root"], ["of another trace"]]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--since", "2024-01-01"], ["new"]),
        (["--until", "2024-01-01"], ["of another project", "old"]),
        (["--until", "2024-01-01T00:00:00+00:00", "--project", "first"], ["old"]),
        (["--since", "2022-01-01", "--until", "2023-01-01"], []),
    ],
)
def test_the_export_is_narrowed_by_time_and_project(project, other_project, tmp_path, options, names):
    year_2023, year_2025 = 1_690_000_000_000_000_000, 1_750_000_000_000_000_000
    export(export_request(span("old", start_ns=year_2023), span("new", start_ns=year_2025)), project)
    export(export_request(span("of another project", start_ns=year_2023)), other_project)
    export_traces(tmp_path / "out.jsonl", *options)
    import_traces(tmp_path / "out.jsonl", project=Project.objects.create(slug="third", name="Third").slug)
    assert sorted(Span.objects.filter(project__slug="third").values_list("name", flat=True)) == names


def test_the_export_is_narrowed_by_trace_id(project, tmp_path):
    wanted = [new_trace_id(), new_trace_id()]
    export(export_request(*(span(trace_id=trace_id) for trace_id in (*wanted, new_trace_id()))), project)
    options = [text for trace_id in wanted for text in ("--trace-id", trace_id.upper())]
    assert "2 spans" in export_traces(tmp_path / "out.jsonl", *options)
    assert Trace.objects.count() == 3


def test_a_time_that_is_none_is_answered_with_an_example(tmp_path):
    with pytest.raises(CommandError, match="2026-01-31"):
        export_traces(tmp_path / "out.jsonl", "--since", "yesterday")


@pytest.mark.parametrize("name", ["all.jsonl", "folder"])
def test_a_long_trace_is_exported_by_pages_and_read_back_whole(project, other_project, tmp_path, name, monkeypatch):
    monkeypatch.setattr("traces.reading.queries.SPANS_A_PAGE", 3)
    trace_id = new_trace_id()
    export(export_request(*[span(f"step {n}", trace_id=trace_id) for n in range(7)]), project)
    assert export_traces(tmp_path / name) == f"7 spans are in {tmp_path / name}.\n"
    import_traces(tmp_path / name, project=other_project.slug)
    assert stored(other_project) == stored(project)
    if name == "all.jsonl":
        assert len((tmp_path / name).read_text().splitlines()) == 3
