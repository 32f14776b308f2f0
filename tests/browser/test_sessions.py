"""The session page in a real browser: from a trace to its session, by keyboard and back."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_admin import logged_in as logged_in
from tests.builders import export_request
from tests.traces.api.test_sessions import chat
from traces.otlp.receiver import export

pytestmark = pytest.mark.django_db(transaction=True)
SESSION = "chat/42 <ž>"


@pytest.fixture
def conversation(project):
    history = []
    for number, question in enumerate(("What is a span?", "And a trace?")):
        export(export_request(chat(SESSION, "jana", number, question, history)[1]), project)
        history += [("user", question), ("assistant", f"answer to {question}")]


def test_from_the_list_of_traces_to_the_chat_and_to_a_span(logged_in, live_server, conversation):
    page = logged_in
    page.goto(f"{live_server.url}/admin/traces/trace/")
    page.locator(f"a.quiet[title='session {SESSION}']").first.click()
    expect(page.locator("h1")).to_have_text(SESSION)
    said = page.locator(".chat .message .value").all_inner_texts()
    assert said == ["What is a span?", "answer to What is a span?", "And a trace?", "answer to And a trace?"]
    page.locator(".turn-span").last.click()
    page.wait_for_selector("[data-panel] h2:has-text('call')")


def test_the_session_page_is_worked_by_keyboard(logged_in, live_server, conversation):
    page = logged_in
    page.goto(f"{live_server.url}/admin/traces/session/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-chapter]")
    page.wait_for_load_state()  # its keys work from then on
    page.keyboard.press("?")
    expect(page.locator("dialog#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-panel]")


def test_end_users_lead_to_their_sessions(logged_in, live_server, conversation):
    page = logged_in
    page.click(".site-nav >> text=End users")
    page.click("a.title:has-text('jana')")
    page.click(f".facts a:has-text('{SESSION}')")
    expect(page.locator(".chapter")).to_have_count(2)
