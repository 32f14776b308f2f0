"""Run a client's page as it is printed, in an environment of its own, and look at the trace that arrives.

    python -m tests.clients                  every client
    python -m tests.clients litellm codex    some of them

The blocks with a file name are written, the shell blocks run one after the other in one shell; only the platform's
addresses and the key are filled in. The models are `stub.py`. Packages come from the registries, faster where `uv` is
installed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from tests.clients.recipes import RECIPES, Recipe
from tests.clients.stub import ANSWER, INPUT_TOKENS, OUTPUT_TOKENS, addresses
from tests.servers import Site, clean_environment
from tracing_site.client_guides import Guide, fill_in

ARRIVAL_SECONDS = 15
# The session of every page that sets one.
SESSION = "chat-42"


class WrongTrace(Exception):
    """What arrived is not what the recipe expects, or nothing did."""


def run_guide(guide: Guide, site: Site, model_url: str, folder: Path) -> str:
    """Run the page in an empty folder; a line on what arrived. Raises WrongTrace, subprocess.SubprocessError."""
    recipe = RECIPES[guide.slug]
    before = {trace["trace_id"] for trace in traces(site)}
    environment = make_environment(recipe, folder, model_url)
    script = write_files(guide, recipe, site, folder, model_url)
    done = run_script(script, folder, environment, recipe.seconds)
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while True:
        arrived = [trace for trace in traces(site) if trace["trace_id"] not in before]
        try:
            return check(recipe, site, arrived, SESSION if SESSION in guide.text else "")
        except WrongTrace as error:
            if time.monotonic() > deadline:
                save(site, arrived, folder)
                raise WrongTrace(f"{error}\n{done[-1500:]}") from None
        time.sleep(1)


def make_environment(recipe: Recipe, folder: Path, model_url: str) -> dict[str, str]:
    """An environment with a virtual environment and npm modules of the folder's own first in PATH, and a home there."""
    python = shutil.which(f"python{recipe.python}") if recipe.python else None
    venv = folder / ".venv"
    subprocess.run([python or sys.executable, "-m", "venv", str(venv)], check=True)
    if uv := shutil.which("uv"):
        for name in ("pip", "pip3"):
            shim = venv / "bin" / name
            shim.unlink(missing_ok=True)
            shim.write_text(f'#!/bin/sh\nexec {uv} pip "$@"\n')
            shim.chmod(0o755)
    variables = {name: text for name, text in clean_environment().items() if not name.startswith(("OTEL_", "PYTEST"))}
    return variables | {
        "VIRTUAL_ENV": str(venv),
        "PATH": f"{venv / 'bin'}:{folder / 'node_modules' / '.bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "UV_QUIET": "1",
        "npm_config_loglevel": "error",
        **addresses(model_url),
        **{name: text.replace("MODEL_URL", model_url) for name, text in recipe.environment.items()},
    }


def write_files(guide: Guide, recipe: Recipe, site: Site, folder: Path, model_url: str) -> str:
    """Write the blocks with a file name; the shell script of the others."""
    commands = ["set -e"]
    for name, text in recipe.files.items():
        write(folder / name, text)
    for fence in guide.fences:
        text = fill_in(fence.text, site.url, f"http://{site.grpc_target}", site.key)
        for printed, used in recipe.replace.items():
            text = text.replace(printed, used.replace("MODEL_URL", model_url))
        if fence.file:
            write(folder / fence.file.replace("~/", ""), text)
        elif fence.language == "sh":
            commands.append(text)
    return "\n".join([*commands, recipe.then])


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run_script(script: str, folder: Path, environment: dict[str, str], seconds: int) -> str:
    """What the commands wrote. All that they started is ended. Raises SubprocessError."""
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            try:
                os.killpg(process.pid, signal.SIGTERM)
                time.sleep(2)
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        output.seek(0)
        text = output.read()
    if code:
        raise WrongTrace(f"the commands ended with {code} after at most {seconds} s\n{text[-1500:]}")
    return text


def traces(site: Site) -> list[dict[str, Any]]:
    return read(site, "/v1/traces?limit=100")["results"]


def spans_of(site: Site, trace_id: str) -> list[dict[str, Any]]:
    return read(site, f"/v1/spans?trace_id={trace_id}&limit=100")["results"]


def read(site: Site, path: str) -> Any:
    answer = requests.get(f"{site.url}{path}", headers={"x-bee-authorization": site.key}, timeout=10)
    answer.raise_for_status()
    return answer.json()


def save(site: Site, arrived: list[dict[str, Any]], folder: Path) -> None:
    """Leave what arrived in the folder: the spans as the API has them, and the trace as OTLP."""
    for trace in arrived:
        path = f"/v1/traces/{trace['trace_id']}"
        for name, document in (("spans", spans_of(site, trace["trace_id"])), ("otlp", read(site, f"{path}/otlp"))):
            (folder / f"{trace['trace_id']}.{name}.json").write_text(json.dumps(document, indent=1))


def check(recipe: Recipe, site: Site, arrived: list[dict[str, Any]], session: str) -> str:
    """A line on the trace that is as the recipe says. Raises WrongTrace, with what is not."""
    if not arrived:
        raise WrongTrace("no trace arrived")
    problems = []
    for trace in arrived:
        spans = spans_of(site, trace["trace_id"])
        types = sorted({span["span_type"] for span in spans})
        line = f"“{trace['name']}” {types} {trace['input_tokens']}/{trace['output_tokens']} tokens: {trace['output']!r}"
        wrong = differences(recipe, trace, spans)
        if session and session != trace["session_id"]:
            wrong.append(f"its session is {trace['session_id']!r}")
        if not wrong:
            return line
        problems.append(f"{line}\n    {'; '.join(wrong)}")
    raise WrongTrace("\n".join(problems))


def differences(recipe: Recipe, trace: dict[str, Any], spans: list[dict[str, Any]]) -> list[str]:
    """What of a trace is not as the recipe says."""
    wrong = [] if recipe.name in trace["name"] else [f"its name has no {recipe.name!r}"]
    types = {"LLM" if span["span_type"] == "CHAT_MODEL" else span["span_type"] for span in spans}
    wrong += [f"no span is a {span_type}" for span_type in recipe.types if span_type not in types]
    if recipe.tokens:
        calls = trace["input_tokens"] // INPUT_TOKENS if trace["input_tokens"] else 0
        if not calls or (trace["input_tokens"], trace["output_tokens"]) != (
            calls * INPUT_TOKENS,
            calls * OUTPUT_TOKENS,
        ):
            wrong.append("its tokens are not those that the model server counted")
    if recipe.content:
        holders = [trace] if recipe.content == "trace" else spans
        if not any(ANSWER in holder["output"] for holder in holders):
            wrong.append("its output is not the answer")
        if not any(recipe.question in holder["input"] for holder in holders):
            wrong.append("its input is not the question")
    return wrong
