"""Fixtures with real parts. A server starts when the first test asks for it and lives as long as the pytest process."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from projects.models import ApiKey, Project
from tests import servers

SERVER_FIXTURES = ("mlflow_server", "tracing_server", "browser")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, tests that share an expensive server run in the same xdist worker: it starts once."""
    for item in items:
        for name in SERVER_FIXTURES:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(name))
                break


@pytest.fixture
def project(db: None) -> Project:
    return Project.objects.create(slug="first", name="First project")


@pytest.fixture
def other_project(db: None) -> Project:
    return Project.objects.create(slug="other", name="Other project")


@pytest.fixture
def key(project: Project) -> str:
    """Text of an API key of `project` with every scope."""
    return ApiKey.objects.issue(project, "test")[1]


@pytest.fixture
def other_key(other_project: Project) -> str:
    """Text of an API key of `other_project` with every scope."""
    return ApiKey.objects.issue(other_project, "test")[1]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL 18 of this pytest process; for tests on a database besides Django's test database."""
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with servers.redis() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """A real Redis, emptied before the test."""
    import redis

    redis.Redis.from_url(redis_server).flushall()
    return redis_server


@pytest.fixture(scope="session")
def mlflow_server() -> Iterator[str]:
    """Base URL of a real `mlflow server`. Tests share it: make an experiment of your own."""
    with servers.mlflow() as url:
        yield url


@pytest.fixture(scope="session")
def tracing_server() -> Iterator[servers.Site]:
    """The running platform (`manage.py serve`) on a database of its own. Tests share it: use trace ids of your own.

    That is SQLite, or what TRACING_SERVER_DATABASE_URL names.
    """
    url = os.environ.get("TRACING_SERVER_DATABASE_URL")
    with servers.site(**({"DATABASE_URL": url} if url else {})) as site:
        yield site


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium program."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("Browser tests need Chromium: run `make test`, install your system's package, or set CHROMIUM.")
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """Playwright's Browser. Django's ORM stays usable: Playwright leaves an event loop in this thread."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync"]
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield instance
        instance.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; a script error, a request to another host or what its policy forbids fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    problems: list[str] = []
    new_page = context.new_page()
    new_page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
    new_page.on("request", lambda request: None if is_local(request.url) else problems.append(f"asked {request.url}"))
    new_page.on("console", lambda said: problems.append(said.text) if "Security Policy" in said.text else None)
    yield new_page
    context.close()
    assert problems == []


def is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:", "about:"))
