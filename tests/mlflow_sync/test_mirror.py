"""A trace that was sent here, seen in a real MLflow."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from mlflow_sync import mirror as mirroring
from mlflow_sync.claims import claim
from mlflow_sync.client import MlflowClient, MlflowError
from mlflow_sync.mirror import mirror
from mlflow_sync.models import MlflowTrace
from mlflow_sync.pull import mirror_again
from projects.models import Project
from tests.builders import attributes, export_request, log_record, logs_request, new_span_id, new_trace_id, span
from tests.mlflow_sync.conftest import MlflowApi, let_waits_end, mirror_all, pull_now, usage
from traces.models import Trace
from traces.otlp.logs import export_logs
from traces.reading import queries
from traces.upkeep.deletion import delete_traces

pytestmark = pytest.mark.django_db
Ingest = Callable[..., Trace]
Step = MlflowTrace.Step


def agent_run(trace_id: str) -> list[Any]:
    """An agent that asks a model, which calls a tool."""
    root, chat, tool = new_span_id(), new_span_id(), new_span_id()
    question = [{"role": "user", "parts": [{"type": "text", "content": "Weather in Oslo?"}]}]
    answer = [
        {"role": "assistant", "parts": [{"type": "text", "content": "Rain, 4 °C."}], "finish_reason": "stop"},
    ]
    messages = {"gen_ai.input.messages": json.dumps(question), "gen_ai.output.messages": json.dumps(answer)}
    return [
        span(
            "invoke_agent guide",
            trace_id=trace_id,
            span_id=root,
            duration_ns=2_500_000_000,
            attrs={
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "guide",
                "gen_ai.conversation.id": "session-1",
                "user.id": "ada",
            }
            | messages,
        ),
        span(
            "chat gpt-4o",
            trace_id=trace_id,
            span_id=chat,
            parent_span_id=root,
            attrs={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.response.model": "gpt-4o-2024-08-06",
                "gen_ai.usage.input_tokens": 120,
                "gen_ai.usage.output_tokens": 30,
            }
            | messages,
        ),
        span(
            "execute_tool weather",
            trace_id=trace_id,
            span_id=tool,
            parent_span_id=chat,
            attrs={
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "weather",
                "gen_ai.tool.call.arguments": json.dumps({"city": "Oslo"}),
                "gen_ai.tool.call.result": "rain",
            },
        ),
    ]


def test_a_trace_is_listed_with_name_state_times_session_user_tokens_and_previews(
    mlflow: MlflowApi, ingest: Ingest
) -> None:
    trace = ingest(*agent_run(new_trace_id()))
    assert mirror_all() == 1
    info = mlflow.traces()[f"tr-{trace.trace_id}"]
    assert info["state"] == "OK"
    assert info["tags"]["mlflow.traceName"] == trace.name != ""
    assert info["execution_duration"] == "2.500s"
    assert info["trace_metadata"]["mlflow.trace.session"] == "session-1"
    assert info["trace_metadata"]["mlflow.trace.user"] == "ada"
    assert usage(info) == {"input_tokens": 120, "output_tokens": 30, "total_tokens": 150}
    assert "Weather in Oslo?" in info["request_preview"]
    assert "Rain, 4 °C." in info["response_preview"]


def test_tags_say_whose_the_trace_is_and_carry_the_resource(
    mlflow: MlflowApi, ingest: Ingest, project: Project
) -> None:
    trace = ingest(span(), resource={"deployment.environment.name": "staging"})
    mirror_all()
    tags = mlflow.traces()[f"tr-{trace.trace_id}"]["tags"]
    assert tags["llm_tracing.id"] == trace.pk.hex
    assert tags["llm_tracing.project"] == project.slug
    assert tags["service.name"] == "test-service"
    assert tags["deployment.environment.name"] == "staging"


def test_spans_have_types_parents_inputs_outputs_models_and_tokens(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace = ingest(*agent_run(new_trace_id()))
    mirror_all()
    spans = mlflow.spans(f"tr-{trace.trace_id}")
    types = {name: found["attributes"]["mlflow.spanType"] for name, found in spans.items()}
    assert types == {"invoke_agent guide": "AGENT", "chat gpt-4o": "CHAT_MODEL", "execute_tool weather": "TOOL"}
    chat = spans["chat gpt-4o"]
    assert chat["parent_span_id"] == spans["invoke_agent guide"]["span_id"]
    said = chat["attributes"]
    assert said["mlflow.spanInputs"] == {"messages": [{"role": "user", "content": "Weather in Oslo?"}]}
    assert said["mlflow.spanOutputs"]["choices"][0]["message"]["content"] == "Rain, 4 °C."
    assert said["mlflow.chat.tokenUsage"] == {"input_tokens": 120, "output_tokens": 30, "total_tokens": 150}
    assert said["mlflow.llm.model"] == "gpt-4o-2024-08-06"
    assert said["mlflow.llm.provider"] == "openai"
    tool = spans["execute_tool weather"]["attributes"]
    assert tool["mlflow.spanInputs"] == {"city": "Oslo"}
    assert tool["mlflow.spanOutputs"] == "rain"


def test_raw_attributes_and_events_are_sent_too(mlflow: MlflowApi, ingest: Ingest) -> None:
    event = SpanMessage.Event(name="retry", time_unix_nano=1_700_000_000_000_000_500, attributes=attributes({"n": 2}))
    trace = ingest(span("work", attrs={"my.key": "my value", "my.count": 3}, events=[event]))
    mirror_all()
    found = mlflow.spans(f"tr-{trace.trace_id}")["work"]
    assert found["attributes"]["my.key"] == "my value"
    assert found["attributes"]["my.count"] == 3
    assert [event["name"] for event in found["events"]] == ["retry"]


def test_the_row_says_that_the_trace_is_mirrored(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace = ingest(*agent_run(new_trace_id()))
    mirror_all()
    row = MlflowTrace.objects.get(pk=trace.pk)
    assert (row.step, row.state, row.error) == (Step.CLOSE_TRACE, MlflowTrace.State.MIRRORED, None)
    assert row.span_count == 3
    assert row.mirrored_change_at == trace.refreshed_at
    contract = row.contract(include_tree=True)
    assert contract["step"] == "CLOSE_TRACE"
    assert contract["request_id"] == f"tr-{trace.trace_id}"
    assert len(contract["id"]) == 24
    assert [item["parent_id"] is None for item in contract["tree"]] == [True, False, False]
    assert row.contract(include_tree=False)["tree"] == []


def test_a_late_span_reaches_mlflow_and_changes_the_totals(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace_id = new_trace_id()
    root, chat, tool = agent_run(trace_id)
    ingest(tool)
    mirror_all()
    assert mlflow.traces()[f"tr-{trace_id}"]["tags"]["mlflow.traceName"] == "execute_tool weather"
    ingest(chat, root)
    assert mirror_all() == 1
    info = mlflow.traces()[f"tr-{trace_id}"]
    assert set(mlflow.spans(f"tr-{trace_id}")) == {"invoke_agent guide", "chat gpt-4o", "execute_tool weather"}
    assert usage(info)["total_tokens"] == 150
    assert info["tags"]["mlflow.traceName"] == Trace.objects.get(trace_id=trace_id).name


def test_a_trace_without_root_is_not_shown_as_in_progress(mlflow: MlflowApi, ingest: Ingest) -> None:
    failed = Status(code=Status.STATUS_CODE_ERROR)
    trace = ingest(span("orphan", parent_span_id=new_span_id(), status=failed))
    mirror_all()
    assert mlflow.traces()[f"tr-{trace.trace_id}"]["state"] == "ERROR"


def test_parents_that_make_a_cycle_are_cut_once(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace_id, first, second = new_trace_id(), new_span_id(), new_span_id()
    ingest(
        span("first", trace_id=trace_id, span_id=first, parent_span_id=second),
        span("second", trace_id=trace_id, span_id=second, parent_span_id=first),
    )
    mirror_all()
    spans = mlflow.spans(f"tr-{trace_id}")
    assert sorted("parent_span_id" in found for found in spans.values()) == [False, True]


def test_what_mlflow_would_refuse_is_adapted(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace = ingest(
        span(
            "n" * 5000,
            attrs={
                "session.id": "s" * 300,
                "user.id": 7,
                "bytes": b"\x00\xff",
                "deep": {"list": [b"\x01", None, float("nan")]},
                "mlflow.chat.tokenUsage": "no JSON",
                "mlflow.llm.cost": "no JSON",
                "mlflow.spanType": "CHAIN",
                "gen_ai.usage.input_tokens": "many",
                "empty": None,
            },
            duration_ns=0,
            links=[SpanMessage.Link(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, attributes=attributes({"a": b"b"}))],
            events=[SpanMessage.Event(name="", attributes=attributes({"b": b"\xfe"}))],
        ),
        resource={"blob": b"\xff", "bad key!": "x", "long": "v" * 9000, "map": {"a": [1]}, "mlflow.x": "y"},
    )
    assert mirror_all() == 1, MlflowTrace.objects.get(pk=trace.pk).error
    session = mlflow.traces()[f"tr-{trace.trace_id}"]["trace_metadata"]["mlflow.trace.session"]
    assert len(session) == 250
    assert session.startswith("sss")


def test_messages_that_came_as_log_records_go_along(mlflow: MlflowApi, ingest: Ingest, project: Project) -> None:
    ids = {"trace_id": new_trace_id(), "span_id": new_span_id()}
    ingest(span("chat", attrs={"gen_ai.operation.name": "chat"}, **ids))
    export_logs([logs_request(log_record("gen_ai.user.message", body={"content": "hello"}, **ids))], project)
    mirror_all()
    said = mlflow.spans(f"tr-{ids['trace_id']}")["chat"]["attributes"]
    assert said["mlflow.spanInputs"] == {"messages": [{"role": "user", "content": "hello"}]}


def test_a_large_trace_goes_in_several_requests(
    mlflow: MlflowApi, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "SPANS_A_PAGE", 10)
    monkeypatch.setattr(mirroring, "BYTES_A_REQUEST", 2_000)
    trace_id, root = new_trace_id(), new_span_id()
    children = [span(f"step {n}", trace_id=trace_id, parent_span_id=root, attrs={"n": "x" * 300}) for n in range(24)]
    ingest(span("root", trace_id=trace_id, span_id=root), *children)
    mirror_all()
    assert len(mlflow.spans(f"tr-{trace_id}")) == 25
    assert MlflowTrace.objects.get().span_count == 25


def test_the_same_trace_id_in_two_projects_stays_two_traces(
    mlflow: MlflowApi, ingest: Ingest, other_project: Project
) -> None:
    other_project.mlflow_experiment_id = mlflow.experiment_id
    other_project.save()
    trace_id = new_trace_id()
    ingest(span("of the first", trace_id=trace_id))
    second = ingest(span("of the other", trace_id=trace_id), into=other_project)
    assert mirror_all() == 2
    by_owner = {info["tags"]["llm_tracing.id"]: id_ for id_, info in mlflow.traces().items()}
    assert len(by_owner) == 2
    names = {owner: set(mlflow.spans(id_)) for owner, id_ in by_owner.items()}
    assert names[second.pk.hex] == {"of the other"}
    assert f"tr-{trace_id}" in by_owner.values()


def test_a_foreign_trace_with_the_same_id_is_neither_changed_nor_deleted(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace_id = new_trace_id()
    foreign = span("sent to MLflow directly", trace_id=trace_id)
    mlflow.send(export_request(foreign))
    trace = ingest(span("sent here", trace_id=trace_id))
    mirror_all()
    assert set(mlflow.spans(f"tr-{trace_id}")) == {"sent to MLflow directly"}
    ours = MlflowTrace.objects.get(pk=trace.pk).mlflow_trace_id
    assert set(mlflow.spans(ours)) == {"sent here"}
    assert mlflow.traces()[ours]["tags"]["llm_tracing.trace_id"] == trace_id
    delete_traces([trace.pk])
    mirror_all()
    assert set(mlflow.traces()) == {f"tr-{trace_id}"}


def test_what_is_deleted_here_is_gone_there_and_nothing_else(mlflow: MlflowApi, ingest: Ingest) -> None:
    gone = [ingest(span()) for _ in range(3)]
    kept = ingest(span())
    mirror_all()
    delete_traces([trace.pk for trace in gone])
    assert MlflowTrace.objects.filter(delete_requested_at__isnull=False).count() == 3
    assert mirror_all() == 3
    assert set(mlflow.traces()) == {f"tr-{kept.trace_id}"}
    assert set(MlflowTrace.objects.values_list("pk", flat=True)) == {kept.pk}


def test_deleting_a_project_deletes_its_traces_here_and_there(mlflow: MlflowApi, ingest: Ingest) -> None:
    from traces.upkeep.retention import delete_expired

    trace = ingest(span())
    mirror_all()
    trace.project.delete()
    assert delete_expired() == 1
    mirror_all()
    assert mlflow.traces() == {}
    assert not MlflowTrace.objects.exists()


def test_a_trace_deleted_before_it_was_mirrored_never_reaches_mlflow(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace = ingest(span())
    pull_now()
    delete_traces([trace.pk])
    mirror_all()
    assert mlflow.traces() == {}
    assert not MlflowTrace.objects.exists()


def test_spans_that_come_after_the_deletion_start_the_trace_anew(
    mlflow: MlflowApi, ingest: Ingest, settings: Any
) -> None:
    settings.DELETED_TRACE_DAYS = 0
    trace_id = new_trace_id()
    trace = ingest(span("before", trace_id=trace_id))
    mirror_all()
    delete_traces([trace.pk])
    ingest(span("after", trace_id=trace_id))
    mirror_all()
    mirror_all()
    assert set(mlflow.spans(f"tr-{trace_id}")) == {"after"}
    assert MlflowTrace.objects.get().state == MlflowTrace.State.MIRRORED


def test_a_trace_that_changes_while_it_is_mirrored_is_due_again(
    mlflow: MlflowApi, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_id = new_trace_id()
    ingest(span("early", trace_id=trace_id))
    pull_now()
    put_trace_info = MlflowClient.put_trace_info

    def meanwhile(self: MlflowClient, *arguments: Any) -> None:
        monkeypatch.undo()
        ingest(span("meanwhile", trace_id=trace_id))
        pull_now()
        put_trace_info(self, *arguments)

    with monkeypatch.context():
        monkeypatch.setattr(MlflowClient, "put_trace_info", meanwhile)
        mirror_all()
    assert MlflowTrace.objects.get().state == MlflowTrace.State.WAITING
    mirror_all()
    assert set(mlflow.spans(f"tr-{trace_id}")) == {"early", "meanwhile"}


def test_only_one_of_two_workers_gets_a_row(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace = ingest(span())
    pull_now()
    assert claim(trace.pk) is not None
    assert claim(trace.pk) is None
    with MlflowClient() as client:
        assert mirror([trace.pk], client) == 0
    let_waits_end()
    assert claim(trace.pk) is not None, "a claim ends when its worker is silent for too long"


def test_a_worker_that_lost_its_claim_leaves_the_row_alone(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace = ingest(span())
    pull_now()
    slow = claim(trace.pk)
    let_waits_end()
    fast = claim(trace.pk)
    assert slow is not None
    assert fast is not None
    with MlflowClient() as client:
        mirroring._try([slow], client, mirroring._mirror_one)
    assert MlflowTrace.objects.get().claimed_at == fast.claimed_at


def test_a_mirrored_trace_can_be_mirrored_again(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace = ingest(span())
    mirror_all()
    with MlflowClient() as client:
        client.delete_traces(mlflow.experiment_id, [f"tr-{trace.trace_id}"])
        assert mirror_again([trace.pk]) == 1
        assert mirror([trace.pk], client) == 1
    assert set(mlflow.traces()) == {f"tr-{trace.trace_id}"}


def test_an_unknown_experiment_is_a_permanent_error_that_says_what_to_do(
    mlflow: MlflowApi, ingest: Ingest, project: Project
) -> None:
    Project.objects.filter(pk=project.pk).update(mlflow_experiment_id="99999")
    trace = ingest(span())
    assert mirror_all() == 0
    row = MlflowTrace.objects.get(pk=trace.pk)
    assert row.state == MlflowTrace.State.FAILED
    assert row.error is not None
    assert row.error["code"] == "NOT_FOUND"
    assert "99999" in row.error["message"]
    assert "project's settings" in row.error["message"]
    assert list(MlflowTrace.objects.failed()) == [row]

    Project.objects.filter(pk=project.pk).update(mlflow_experiment_id=mlflow.experiment_id)
    mirror_again([trace.pk])
    assert mirror_all() == 1
    assert MlflowTrace.objects.get(pk=trace.pk).error is None


def test_a_deleted_experiment_is_a_permanent_error(mlflow: MlflowApi, ingest: Ingest) -> None:
    mlflow.delete_experiment(mlflow.experiment_id)
    ingest(span())
    mirror_all()
    row = MlflowTrace.objects.get()
    assert (row.state, row.step) == (MlflowTrace.State.FAILED, Step.ADD_TREE)
    assert "is deleted in MLflow: restore it" in row.error_message


def test_a_refused_host_name_says_how_to_allow_it(mlflow: MlflowApi) -> None:
    with MlflowClient() as client:
        client._session.headers["Host"] = "mlflow.localtest"
        with pytest.raises(MlflowError, match=r"--allowed-hosts 127\.0\.0\.1"):
            client.check()


def test_while_mlflow_is_down_no_attempt_is_spent_and_afterwards_everything_arrives(
    mlflow: MlflowApi, ingest: Ingest, settings: Any
) -> None:
    from mlflow_sync.jobs import mirror_due
    from mlflow_sync.models import MirrorStatus

    traces = [ingest(span()) for _ in range(3)]
    pull_now()
    let_waits_end()
    settings.MLFLOW_TRACKING_URI = "http://user:secret@127.0.0.1:1"
    mirror_due()
    assert "does not answer at http://127.0.0.1:1" in MirrorStatus.load().problem
    assert "secret" not in MirrorStatus.load().problem
    assert set(MlflowTrace.objects.values_list("attempts", "error_code")) == {(0, "")}
    settings.MLFLOW_TRACKING_URI = mlflow.url
    mirror_due()
    assert MirrorStatus.load().problem == ""
    assert set(mlflow.traces()) == {f"tr-{trace.trace_id}" for trace in traces}


def test_a_failure_in_the_middle_is_retried_later_and_ends_with_one_trace(
    mlflow: MlflowApi, ingest: Ingest, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = ingest(span("only"))
    with monkeypatch.context() as patch:
        patch.setattr(
            MlflowClient,
            "put_trace_info",
            lambda *_: (_ for _ in ()).throw(MlflowError("SERVICE_ERROR", "busy", retryable=True)),
        )
        assert mirror_all() == 0
    row = MlflowTrace.objects.get(pk=trace.pk)
    assert (row.state, row.step, row.attempts) == (MlflowTrace.State.RETRYING, Step.ADD_TREE, 1)
    assert row.next_try_at is not None
    assert row.claimed_at is None
    assert mirror_all() == 1
    assert list(mlflow.traces()) == [f"tr-{trace.trace_id}"]
    assert MlflowTrace.objects.get(pk=trace.pk).attempts == 0
