"""The admin in a real browser: from the list to a trace, to a span, to what went in."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from tests.builders import export_request, new_span_id, new_trace_id, span
from traces.models import Trace
from traces.otlp.receiver import export

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "What is the <b>capital</b> of Slovenia?"


@pytest.fixture
def logged_in(page, live_server, project):
    """The page with a superuser's session; an error in its console fails the test."""
    User.objects.create_superuser("boss", password="secret-of-boss")
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{live_server.url}/admin/")
    page.fill("#id_username", "boss")
    page.fill("#id_password", "secret-of-boss")
    page.click("[type=submit]")
    yield page
    assert errors == []


@pytest.fixture
def trace(project):
    """An agent that calls a model, which answers, and a tool, which fails."""
    trace_id, root, call = new_trace_id(), new_span_id(), new_span_id()
    model = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": QUESTION,
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "Ljubljana",
        "llm.token_count.prompt": 12,
    }
    tool = {"openinference.span.kind": "TOOL", "input.value": '{"city": "Ljubljana"}'}
    export(
        export_request(
            span("agent", trace_id=trace_id, span_id=root, duration_ns=9_000_000),
            span("ask", trace_id=trace_id, span_id=call, parent_span_id=root, attrs=model),
            span(
                "lookup",
                trace_id=trace_id,
                parent_span_id=root,
                start_ns=1_700_000_000_002_000_000,
                attrs=tool,
                status={"code": 2},
            ),
        ),
        project,
    )
    return Trace.objects.get(trace_id=trace_id)


def test_from_the_list_to_what_a_span_was_asked(logged_in, live_server, trace):
    page = logged_in
    page.click("text=Traces")
    page.click("a.title:has-text('agent')")
    page.click(".row:has-text('ask') .name")
    message = page.locator(".message.role-user")
    message.wait_for()
    assert QUESTION in message.inner_text()
    assert "Ljubljana" in page.locator(".message.role-assistant").inner_text()
    assert "span=" in page.url


def test_a_link_to_a_span_opens_it(logged_in, live_server, trace):
    page = logged_in
    page.click("text=Traces")
    page.click("a.title:has-text('agent')")
    page.click(".row:has-text('lookup') .name")
    page.wait_for_url("**span=*")
    page.reload()
    page.wait_for_selector("[data-panel] h2:has-text('lookup')")
    assert page.locator(".row.is-selected").inner_text().startswith("TOOL")


def test_the_keyboard_moves_folds_and_filters(logged_in, live_server, trace):
    page = logged_in
    page.goto(f"{live_server.url}/admin/traces/trace/{trace.pk}/change/")
    page.wait_for_selector("[data-panel] h2:has-text('agent')")
    page.keyboard.press("j")
    page.wait_for_selector("[data-panel] h2:has-text('ask')")
    page.keyboard.press("e")
    page.wait_for_selector("[data-panel] h2:has-text('lookup')")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("[data-panel] h2:has-text('agent')")
    page.keyboard.press("ArrowLeft")
    assert page.locator(".row:visible").count() == 1
    page.keyboard.press("ArrowRight")
    assert page.locator(".row:visible").count() == 3
    page.keyboard.press("/")
    page.keyboard.type("lookup")
    expect(page.locator(".row")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator(".row")).to_have_count(3)
    page.keyboard.press("2")
    assert page.locator("[data-tabpanel=attributes]").is_visible()


def test_the_list_is_worked_by_keyboard(logged_in, live_server, trace):
    page = logged_in
    page.goto(f"{live_server.url}/admin/traces/trace/")
    page.keyboard.press("?")
    assert page.locator("dialog#help").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("agent")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=agent*")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-panel]")


def test_a_filter_applies_when_it_is_chosen(logged_in, live_server, trace):
    page = logged_in
    page.goto(f"{live_server.url}/admin/traces/trace/")
    page.select_option("select[name=range]", "1h")
    page.wait_for_url("**range=1h")
    assert page.locator("text=Nothing matches").is_visible()


def test_a_trace_of_ten_thousand_spans_opens_and_goes_on(logged_in, live_server, project):
    page = logged_in
    trace_id, root = new_trace_id(), new_span_id()
    children = [span(f"step {n}", trace_id=trace_id, parent_span_id=root) for n in range(9_999)]
    export(export_request(span("long run", trace_id=trace_id, span_id=root), *children), project)
    page.goto(f"{live_server.url}/admin/traces/trace/{Trace.objects.get().pk}/change/")
    assert page.locator(".row").count() == 500
    page.click("button.more")
    expect(page.locator(".row")).to_have_count(1000)


def test_a_page_that_waits_for_the_first_trace_shows_it_by_itself(logged_in, project):
    page = logged_in
    expect(page.locator("[data-waiting]")).to_contain_text("Waiting for the first trace")
    export(export_request(span("the very first")), project)
    expect(page.locator(".home-table a.title")).to_have_text("the very first", timeout=15_000)


@pytest.mark.parametrize("width", [390, 1360])
def test_a_client_is_chosen_and_a_new_key_is_in_every_page_after_it(logged_in, live_server, project, width):
    page = logged_in
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{live_server.url}/admin/send/?client=litellm")
    expect(page.locator(".client-guide h2")).to_have_text("LiteLLM, SDK")
    page.click("text=make one")
    page.fill("#id_name", "mine")
    page.click("[name=_save]")
    key = page.locator("#key-text").inner_text()
    expect(page.locator(".client-guide")).to_contain_text(f"x-bee-authorization={key}")
    page.click("button:has-text('CrewAI')")
    expect(page.locator(".client-guide h2")).to_have_text("CrewAI")
    expect(page.locator(".client-guide")).to_contain_text(f"x-bee-authorization={key}")
    assert key not in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", ["traces/trace/", "spans/span/", "traces/session/"])
def test_headings_stand_over_what_they_head_and_nothing_is_cut(logged_in, live_server, project, path):
    attrs = {"openinference.span.kind": "RETRIEVER", "llm.token_count.prompt": 987_654, "session.id": "s"}
    attrs |= {"llm.token_count.completion": 987_654, "llm.model_name": "gpt-4o", "input.value": "question"}
    export(export_request(span("agent", attrs=attrs)), project)
    page = logged_in
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{live_server.url}/admin/{path}")
    for column in ("started", "tokens", "cost"):
        edges = page.evaluate(
            """column => [`th.column-${column} .text > *`, `td.field-${column} :is(time, .tokens)`].map(selector => {
                const range = document.createRange();
                const found = document.querySelector(selector);
                if (!found) return null;
                range.selectNodeContents(found);
                const { left, right } = range.getBoundingClientRect();
                return column === "tokens" ? right : left;
            })""",
            column,
        )
        if None not in edges:
            assert abs(edges[0] - edges[1]) < 2, column
    assert page.locator(".field-tokens").first.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    for chip in page.locator("td .type").all():
        assert chip.evaluate(
            "chip => chip.getBoundingClientRect().right <= chip.closest('td').getBoundingClientRect().right - 8"
        )
    for text in page.locator("td.field-said").all():
        assert text.bounding_box()["width"] > 80


def test_the_home_page_fits_a_small_screen(logged_in, project):
    page = logged_in
    attrs = {"llm.model_name": "gpt-4o", "llm.token_count.prompt": 987_654, "input.value": "question " * 40}
    child = {"openinference.span.kind": "LLM", **attrs}
    trace_id, root = new_trace_id(), new_span_id()
    failed = span(trace_id=trace_id, parent_span_id=root, attrs=child, status={"code": 2})
    export(export_request(span("agent " * 20, trace_id=trace_id, span_id=root, attrs=attrs), failed), project)
    for width in (1024, 390):
        page.set_viewport_size({"width": width, "height": 768})
        page.reload()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", ["traces/trace/", "spans/span/"])
def test_the_filters_of_a_list_stand_in_one_line_below_the_search(logged_in, live_server, trace, other_project, path):
    page = logged_in
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{live_server.url}/admin/{path}?min_usd=0.1")
    assert page.locator("#list-filters").bounding_box()["height"] < 96


LISTS = ["traces/trace/", "spans/span/", "traces/session/", "traces/enduser/", "traces/exportreceipt/"]


def export_one_with_everything(project):
    attrs = {"openinference.span.kind": "LLM", "llm.token_count.prompt": 987_654, "session.id": "s" * 60}
    attrs |= {"llm.token_count.completion": 987_654, "llm.model_name": "gpt-4o", "input.value": "question " * 40}
    export(export_request(span("agent " * 20, attrs=attrs | {"user.id": "u" * 60})), project)


@pytest.mark.parametrize("width", [1280, 1366, 1440, 390])
@pytest.mark.parametrize("path", LISTS)
def test_no_list_is_wider_than_a_laptop_or_a_phone(logged_in, live_server, project, other_project, path, width):
    export_one_with_everything(project)
    page = logged_in
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{live_server.url}/admin/{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".results").evaluate("box => box.scrollWidth <= box.clientWidth")
    for time in page.locator("#result_list time:visible").all():
        assert time.evaluate(
            "time => { const cell = time.closest('td, th'); return cell.scrollWidth <= cell.clientWidth; }"
        )


def test_a_row_of_a_phone_tells_what_a_row_of_a_desk_tells(logged_in, live_server, trace):
    page = logged_in
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{live_server.url}/admin/traces/trace/")
    row = page.locator("#result_list tbody tr").bounding_box()
    for column in ("started", "title", "said", "took", "spans", "models"):
        cell = page.locator(f"#result_list tbody .field-{column}").bounding_box()
        assert cell["width"] > 40, column
        assert cell["x"] + cell["width"] <= row["x"] + row["width"], column
    page.click("thead >> text=Duration")
    page.wait_for_url("**o=*")


def test_a_phone_shows_the_filters_that_are_set_and_the_others_on_demand(logged_in, live_server, trace):
    page = logged_in
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{live_server.url}/admin/traces/trace/?status=ERROR")
    assert page.locator("#list-filters").bounding_box()["height"] < 100
    assert page.locator("select[name=status]").is_visible()
    assert page.locator("input[name=service]").is_hidden()
    page.click("button:has-text('Filters')")
    assert page.locator("input[name=service]").is_visible()


@pytest.mark.parametrize("value", ["3000", "0.00012", "1234567"])
def test_a_number_in_a_filter_is_seen_whole(logged_in, live_server, trace, value):
    page = logged_in
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{live_server.url}/admin/traces/trace/?min_ms={value}")
        assert page.locator("input[name=min_ms]").evaluate("field => field.scrollWidth <= field.clientWidth")


def test_the_way_back_leads_to_the_row_one_came_from(logged_in, live_server, project):
    for number in range(40):
        export(export_request(span(f"run {number}", attrs={"input.value": "question"})), project)
    page = logged_in
    page.goto(f"{live_server.url}/admin/traces/trace/?q=run")
    page.click("a.title:text-is('run 3')")
    page.wait_for_selector("[data-panel]")
    page.click(".way-back a")
    expect(page.locator("tr.is-current")).to_contain_text("run 3")
    expect(page.locator("tr.is-current")).to_be_in_viewport()
    assert page.input_value("#searchbar") == "run"
    page.click("a.title:text-is('run 5')")
    page.wait_for_selector("[data-panel]")
    page.go_back()
    page.wait_for_selector("#searchbar")
    expect(page.locator("tr.is-current")).to_contain_text("run 5")
