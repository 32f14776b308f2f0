"""That every client's page can be run, and is what the admin offers. `python -m tests.clients` runs them."""

import ast
import json
import re
import tomllib

import pytest

from tests.clients.recipes import QUESTION, RECIPES, Recipe
from tests.clients.run import differences
from tests.clients.stub import ANSWER
from tracing_site.client_guides import ENDPOINT, FOLDER, GRPC_ENDPOINT, KEY, fill_in, guides

SLUGS = list(guides())


def test_every_page_is_listed_and_has_a_recipe():
    assert sorted(SLUGS) == sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "README")
    assert sorted(SLUGS) == sorted(RECIPES)
    assert SLUGS[0] == "opentelemetry"


@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_names_the_address_the_key_and_what_to_run(slug):
    guide = guides()[slug]
    blocks = "".join(fence.text for fence in guide.fences)
    assert guide.text.startswith("# ")
    assert guide.title
    assert guide.group
    assert "x-bee-authorization" in blocks or slug == "langfuse"  # whose SDK makes the header itself
    assert KEY in blocks
    assert ENDPOINT in blocks or GRPC_ENDPOINT in blocks
    assert any(fence.language == "sh" and not fence.file for fence in guide.fences)
    filled = fill_in(blocks, "https://traces.example", "https://traces.example:4317", "llmt_mine")
    assert not re.search(r"127\.0\.0\.1:(8000|4317)|YOUR|%20", filled)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_files_of_a_page_are_well_formed(slug):
    for fence in guides()[slug].fences:
        if fence.language == "python":
            ast.parse(fence.text)
        elif fence.language == "json":
            json.loads(fence.text)
        elif fence.language == "toml":
            tomllib.loads(fence.text)
        assert max(map(len, fence.text.splitlines())) <= 160


def trace(**changes):
    return {"name": "run", "input_tokens": 42, "output_tokens": 14, "input": QUESTION, "output": ANSWER} | changes


@pytest.mark.parametrize(
    ("recipe", "arrived", "wrong"),
    [
        (Recipe("run"), trace(), 0),
        (Recipe("other"), trace(), 1),
        (Recipe(), trace(output=""), 1),
        (Recipe(), trace(input=""), 1),
        (Recipe(), trace(output_tokens=7), 1),
        (Recipe(), trace(input_tokens=None, output_tokens=None), 1),
        (Recipe(types=("LLM", "AGENT")), trace(), 1),
        (Recipe(content="spans"), trace(output=""), 0),
        (Recipe(tokens=False, content=""), trace(input_tokens=None, output=""), 0),
    ],
)
def test_a_trace_that_is_not_as_the_recipe_says_is_noticed(recipe, arrived, wrong):
    assert (
        len(differences(recipe, arrived, [arrived | {"span_type": "CHAT_MODEL", "input": QUESTION, "output": ANSWER}]))
        == wrong
    )


def test_getting_started_leads_to_every_page():
    text = (FOLDER.parent / "getting-started.md").read_text()
    assert [slug for slug in SLUGS if f"(clients/{slug}.md)" not in text] == []
