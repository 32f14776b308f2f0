"""MLflow, or what answers in its place, may be slow, large or hostile; one project's part of it is no other's."""

import base64
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mlflow_sync import client as mlflow_client
from mlflow_sync.bounded_http import BoundedSession, NoAnswer
from mlflow_sync.client import MAX_ANSWER_BYTES, MlflowClient, MlflowError
from mlflow_sync.jobs import mirror_due
from mlflow_sync.models import MirrorStatus, MlflowTrace
from projects.models import Project
from tests.builders import span
from tests.mlflow_sync.conftest import let_waits_end, mirror_all, pull_now
from tests.mlflow_sync.hostile import (
    HTML,
    OK_JSON,
    Behaviour,
    HostileServer,
    answer,
    closes,
    floods,
    hangs,
    hostile_server,
    says,
    trace_infos,
    trickles,
)
from traces.models import Trace
from traces.upkeep.deletion import delete_traces

Ingest = Callable[..., Trace]


@pytest.fixture
def hostile(settings: Any) -> Iterator[HostileServer]:
    with hostile_server() as server:
        settings.MLFLOW_TRACKING_URI = server.url
        yield server


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHECK_SECONDS", "CALL_SECONDS", "SPANS_SECONDS"):
        monkeypatch.setattr(mlflow_client, name, 0.5)


ENDLESS_HEAD = trickles(b"HTTP/1.1 200 OK\r\nX: ", b"x")
ENDLESS = {
    "hangs": hangs,
    "status line": trickles(b"", b"H"),
    "header": ENDLESS_HEAD,
    "headers": trickles(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "continues": trickles(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": trickles(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
    "body without length": trickles(b"HTTP/1.1 200 OK\r\n\r\n"),
    "chunks": trickles(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "chunk size": trickles(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "trailers": trickles(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "error": trickles(b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n"),
}


@pytest.mark.parametrize("part", ENDLESS)
@pytest.mark.usefixtures("_quick")
def test_a_call_ends_in_its_time_whichever_part_of_the_answer_never_ends(hostile: HostileServer, part: str) -> None:
    hostile.bad = ENDLESS[part]
    started = time.monotonic()
    with MlflowClient() as client, pytest.raises(MlflowError, match="MLflow does not answer"):
        client.check()
    assert time.monotonic() - started < 2


def test_a_server_that_does_not_read_is_left_in_time(hostile: HostileServer) -> None:
    hostile.bad = hangs
    session = BoundedSession()
    started = time.monotonic()
    with pytest.raises(NoAnswer):
        session.request("POST", hostile.url, seconds=0.5, max_bytes=10, data=(b"x" * 65536 for _ in range(10_000)))
    assert time.monotonic() - started < 2


LARGE = {
    "announced": floods(b"HTTP/1.1 200 OK\r\nContent-Length: 629145600\r\n\r\n", b"x" * 65536),
    "without length": floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    "chunks": floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "chunk size": floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    "header": floods(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
    "headers": floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 10_000),
    "error": floods(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65536),
}


@pytest.mark.parametrize("part", LARGE)
def test_an_answer_takes_no_more_memory_than_its_bound(hostile: HostileServer, part: str) -> None:
    hostile.bad = LARGE[part]
    with MlflowClient() as client:
        tracemalloc.start()
        try:
            with pytest.raises(MlflowError):
                client.put_trace_info("1", {})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4 * MAX_ANSWER_BYTES


NOT_MLFLOW = {
    "html": HTML,
    "redirect": answer(b"", "Location: /", status="302 Found"),
    "permanent redirect": answer(b"", "Location: http://127.0.0.1:1/", status="308 Permanent Redirect"),
    "garbage": answer(b"\xff\xfe\x00garbage"),
    "list": answer(b"[]"),
    "deep": answer(b"[" * 1_000_000),
    "too short a length": answer(b'{"trace_infos": []}', length=7),
    "packed": answer(b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"),
    "strange traces": trace_infos(1, "x", None),
    "traces without ids": trace_infos({"tags": {}}),
    "tags that are none": trace_infos({"trace_id": "tr-1", "tags": []}),
    "no list": answer(b'{"trace_infos": 7}'),
}
NO_ANSWER = {
    "no HTTP": says(b"220 mail ESMTP\r\n"),
    "too long a length": lambda connection: (connection.sendall(answer(b"{}", length=100)), closes(connection)),
    "closed": closes,
    "broken chunk": says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
}


@pytest.mark.parametrize("what", NOT_MLFLOW)
def test_what_is_no_mlflow_is_called_so(hostile: HostileServer, what: str) -> None:
    hostile.bad = says(NOT_MLFLOW[what])
    with MlflowClient() as client, pytest.raises(MlflowError, match="not as an MLflow server"):
        client.find_traces(["tr-1"], "1")
    assert len(hostile.requests) == 1, "no redirect is followed"


@pytest.mark.parametrize("what", NO_ANSWER)
def test_what_breaks_off_is_no_answer(hostile: HostileServer, what: str) -> None:
    hostile.bad = NO_ANSWER[what]
    with MlflowClient() as client, pytest.raises(MlflowError, match="MLflow does not answer"):
        client.find_traces(["tr-1"], "1")


def test_after_a_bad_answer_the_same_client_works(hostile: HostileServer) -> None:
    with MlflowClient() as client:
        for bad in (answer(b'{"trace_infos": []}', length=7), answer(b"{}", length=100), b"garbage\r\n\r\n"):
            hostile.bad, hostile.pattern = (
                (lambda connection, bad=bad: (connection.sendall(bad), closes(connection))),
                "",
            )
            with pytest.raises(MlflowError):
                client.find_traces(["tr-1"], "1")
            hostile.bad = says(OK_JSON)
            assert client.find_traces(["tr-1"], "1") == {}


def test_no_cookie_is_kept(hostile: HostileServer) -> None:
    hostile.bad = says(answer(b"{}", "Set-Cookie: a=b"))
    with MlflowClient() as client:
        client.find_traces(["tr-1"], "1")
        client.find_traces(["tr-1"], "1")
    assert b"Cookie" not in hostile.requests[1]


def test_too_long_an_answer_is_asked_for_in_parts(hostile: HostileServer) -> None:
    found = [f"tr-{n}" for n in range(8)]
    filler = "x" * (MAX_ANSWER_BYTES // 3)

    def infos(connection: Any) -> None:
        asked = [id_ for id_ in found if f'"{id_}"'.encode() in hostile.requests[-1]]
        connection.sendall(trace_infos(*({"trace_id": id_, "tags": {"a": filler}} for id_ in asked)))

    hostile.bad = infos
    with MlflowClient() as client:
        assert list(client.find_traces(found, "1")) == found


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://name:secret@", b"name:secret"),
        ("http://na%40me:p%3A%2Fss%C3%A9@", "na@me:p:/ssé".encode()),
    ],
)
def test_name_and_password_in_the_address_are_used(
    hostile: HostileServer, settings: Any, uri: str, expected: bytes
) -> None:
    settings.MLFLOW_TRACKING_URI = hostile.url.replace("http://", uri)
    with MlflowClient() as client:
        client.check()
    assert all(b"Basic " + base64.b64encode(expected) in request for request in hostile.requests)


def test_without_credentials_none_are_sent(hostile: HostileServer) -> None:
    with MlflowClient() as client:
        client.check()
    assert not any(b"uthorization" in request for request in hostile.requests)


# One project's part


@pytest.fixture
def bad_project(other_project: Project) -> Project:
    Project.objects.filter(pk=other_project.pk).update(mlflow_experiment_id="77")
    other_project.refresh_from_db()
    return other_project


def good_mlflow(hostile: HostileServer, owners: dict[str, str]) -> Behaviour:
    """Takes everything; lists the traces whose ids are the keys."""

    def behave(connection: Any) -> None:
        request = hostile.requests[-1]
        known = [
            {
                "trace_id": id_,
                "tags": {"llm_tracing.id": owner},
                "trace_location": {"mlflow_experiment": {"experiment_id": "0"}},
            }
            for id_, owner in owners.items()
            if b"batchGetInfos" in request and id_.encode() in request
        ]
        connection.sendall(trace_infos(*known))

    return behave


def poison(hostile: HostileServer, bad: Behaviour, owners: dict[str, str]) -> None:
    """Whatever concerns experiment 77 meets `bad`; everything else works."""
    good = good_mlflow(hostile, owners)

    def behave(connection: Any) -> None:
        (bad if b"Experiment-Id: 77" in hostile.requests[-1] else good)(connection)

    hostile.bad = behave


@pytest.mark.django_db
@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(
    "bad",
    [
        *ENDLESS.values(),
        says(HTML),
        *NO_ANSWER.values(),
        says(answer(b"", status="401 Unauthorized")),
        says(answer(b"", status="501 Not Implemented")),
        says(answer(b"\x00\x1b[31m\xed\xa0\x80", "Content-Type: text/plain", status="500 \x00")),
        says(answer(b'{"message": "\\u0000", "error_code": []}', status="400 Bad")),
        says(answer(b"", "Location: /", status="302 Found")),
        LARGE["announced"],
    ],
    ids=[
        *ENDLESS, "html", *NO_ANSWER, "401", "501", "control characters", "NUL in JSON", "redirect", "large",
    ],
)  # fmt: skip
def test_what_mlflow_says_of_one_projects_traces_is_no_other_projects_affair(
    hostile: HostileServer, ingest: Ingest, project: Project, bad_project: Project, bad: Behaviour
) -> None:
    poisoned = [ingest(span(), into=bad_project) for _ in range(2)]
    fine = [ingest(span()) for _ in range(2)]
    poison(hostile, bad, {f"tr-{trace.trace_id}": trace.pk.hex for trace in fine})
    pull_now()
    let_waits_end()
    mirror_due()
    states = {row.pk: row for row in MlflowTrace.objects.all()}
    assert {states[trace.pk].state for trace in fine} == {"mirrored"}
    assert MirrorStatus.load().problem == ""
    for trace in poisoned:
        assert states[trace.pk].error_code
        assert states[trace.pk].attempts == 1


@pytest.mark.django_db
def test_a_trace_that_makes_mlflow_break_off_is_given_up_after_its_tries(
    hostile: HostileServer, ingest: Ingest, bad_project: Project
) -> None:
    ingest(span(), into=bad_project)
    poison(hostile, closes, {})
    for _ in range(12):
        mirror_all()
    row = MlflowTrace.objects.get()
    assert (row.state, row.attempts, row.error_code) == (MlflowTrace.State.FAILED, 12, "SERVICE_UNAVAILABLE")


@pytest.mark.django_db
@pytest.mark.parametrize("experiment_id", ["7\r\nX: y", "../7", "٧", "7 ", "-1", "9" * 30])
def test_an_experiment_that_stands_there_from_before_is_refused_without_a_request(
    hostile: HostileServer, ingest: Ingest, bad_project: Project, experiment_id: str
) -> None:
    Project.objects.filter(pk=bad_project.pk).update(mlflow_experiment_id=experiment_id)
    ingest(span(), into=bad_project)
    mirror_all()
    row = MlflowTrace.objects.get()
    assert (row.state, row.error_code) == (MlflowTrace.State.FAILED, "INVALID_ARGUMENT")
    assert "is no experiment id" in row.error_message
    assert hostile.requests == []


@pytest.mark.django_db
@pytest.mark.usefixtures("_quick")
def test_while_nothing_answers_no_attempt_is_spent(hostile: HostileServer, ingest: Ingest) -> None:
    for _ in range(3):
        ingest(span())
    hostile.bad = hangs
    with pytest.raises(MlflowError):
        mirror_all()
    assert set(MlflowTrace.objects.values_list("attempts", flat=True)) == {0}
    assert len(hostile.requests) == 2, "the first trace's, and the look whether it is that trace"


@pytest.mark.django_db
def test_a_deletion_that_mlflow_answers_with_nonsense_stops_no_other(
    hostile: HostileServer, ingest: Ingest, bad_project: Project
) -> None:
    theirs, ours = ingest(span(), into=bad_project), ingest(span())
    pull_now()
    for trace, experiment in ((theirs, "77"), (ours, "0")):
        MlflowTrace.objects.filter(pk=trace.pk).update(
            mlflow_trace_id=f"tr-{trace.trace_id}", experiment_id=experiment, next_try_at=None
        )
    delete_traces([theirs.pk, ours.pk])
    hostile.bad, hostile.pattern = says(trace_infos(1, 2)), f"tr-{theirs.trace_id}"
    mirror_due()
    (row,) = MlflowTrace.objects.all()
    assert row.pk == theirs.pk
    assert (row.attempts, row.error_code) == (1, "SERVICE_ERROR")
