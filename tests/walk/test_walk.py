"""The walk: a part of it in every run, all of it with WALK=whole (`make walk`)."""

import os

from django.db import transaction

from tests.walk.routes import urls
from tests.walk.world import MARK, Actor, World, actors, build

METHODS = ("GET", "POST", "DELETE", "OPTIONS", "PUT", "HEAD", "PATCH", "TRACE")
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
WHOLE = os.environ.get("WALK") == "whole"
TURNS = 5


def methods(turn: int) -> tuple[str, ...]:
    """Few enough for every run: each URL by a fifth of the actors, by GET and another method in turn."""
    if WHOLE:
        return METHODS
    return () if turn % TURNS else ("GET", METHODS[1 + turn // TURNS % (len(METHODS) - 1)])


def ask(actor: Actor, method: str, url: str, world: World) -> tuple[int, str]:
    """Status, and everything that the answer says. What the request changes is undone."""
    if url.startswith("/v1/"):
        body = {"data": {"ids": [world.trace.trace_id]}, "content_type": "application/json"}
    else:
        # By turns only what exists, or with what is nobody's key
        junk = ["junk", "99999999999999999999"] if len(url) % 2 else []
        selected = {"_selected_action": [*map(str, world.rows.values()), *junk], "action": "delete_selected"}
        body = {"data": {"post": "yes", "pinned": "yes", "name": "changed", **selected}}
    before = None if method in SAFE or actor.writes else world.snapshot()
    point = transaction.savepoint()
    try:
        if method in {"GET", "HEAD"}:
            answer = getattr(actor.client, method.lower())(url)
        elif method == "POST":
            answer = actor.client.post(url, **body)
        else:
            answer = actor.client.generic(method, url)
        if before is not None:
            assert world.snapshot() == before, f"{method} {url} changed something"
    finally:
        transaction.savepoint_rollback(point)
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, content.decode(errors="replace") + str(list(answer.headers.items()))


def test_nobody_sees_or_changes_what_is_another_projects_and_nothing_breaks(project, other_project, settings):
    settings.MLFLOW_TRACKING_URI = "off"
    world = build(project)
    everything = urls(world)
    assert len(everything) > 250
    faults = []
    seen: set[str] = set()
    asked = 0
    everybody = actors(project, other_project)
    for shift, (name, actor) in enumerate(everybody.items()):
        session = actor.client.cookies.get("sessionid")
        for position, url in enumerate(everything):
            for method in methods(position + 2 * shift):
                status, answer = ask(actor, method, url, world)
                asked += 1
                if status >= 500 and (url, status) != ("/readyz", 503):
                    faults.append(f"{name}: {method} {url} answers {status}")
                if not actor.sees and MARK in answer:
                    faults.append(f"{name}: {method} {url} shows {answer[max(0, answer.index(MARK) - 80) :][:120]!r}")
                if actor.sees and status == 200 and method == "GET" and MARK in answer:
                    seen.add(name)
                if session is not None:
                    actor.client.cookies["sessionid"] = session.value
    assert not faults, f"{len(faults)} of {asked}:\n" + "\n".join(faults[:40])
    # The walk looks at the right places: whoever may see the project does.
    assert seen == {name for name, actor in everybody.items() if actor.sees}
