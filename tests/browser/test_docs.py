"""The API's documentation in a real browser; `page` fails on script errors and requests to other hosts."""

import pytest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def docs(page, live_server):
    def open_page(path: str):
        page.goto(f"{live_server.url}{path}", wait_until="networkidle")
        return page

    return open_page


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/redoc"])
def test_the_operations_are_shown(docs, path):
    shown = docs(path)
    for summary in ("Receive spans (OTLP/HTTP)", "List traces", "Get a trace", "List the spans of a trace"):
        shown.get_by_text(summary, exact=True).locator("visible=true").first.wait_for()


def test_a_trace_list_can_be_asked_for_with_a_key(docs, key, project):
    shown = docs("/docs")
    shown.get_by_role("button", name="Authorize").click()
    shown.locator(".auth-container input").first.fill(key)
    shown.locator(".auth-container").get_by_role("button", name="Apply credentials").first.click()
    shown.get_by_role("button", name="Close").first.click()
    shown.get_by_text("List traces", exact=True).click()
    shown.get_by_role("button", name="Try it out").click()
    shown.get_by_role("button", name="Execute").click()
    shown.get_by_text('"total_count": 0').first.wait_for()
