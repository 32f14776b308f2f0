"""The trace page in a real browser: where it failed, and spans that are far down, folded or filtered away."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_admin import logged_in as logged_in
from tests.builders import export_request, new_span_id, new_trace_id, span
from traces.models import Trace
from traces.otlp.receiver import export

pytestmark = pytest.mark.django_db(transaction=True)
FAILED = {"code": 2, "message": "document 743 is empty"}


@pytest.fixture
def open_wide(logged_in, live_server, project):
    """Opens a trace of 1,001 spans, of which two failed, with these parameters in the address."""
    trace_id, root, middle = new_trace_id(), new_span_id(), new_span_id()
    children = [span(f"step {n}", trace_id=trace_id, parent_span_id=middle) for n in range(999)]
    children[20].status.code = 2
    children[743] = span("step 743", trace_id=trace_id, parent_span_id=middle, status=FAILED)
    spans = [span("map", trace_id=trace_id, span_id=root), span("all", trace_id=trace_id, span_id=middle)]
    spans[1].parent_span_id = bytes.fromhex(root)
    export(export_request(*spans, *children), project)
    url = f"{live_server.url}/admin/traces/trace/{Trace.objects.get().pk}/change/"

    def open_page(query=""):
        logged_in.goto(url + query.replace("743", children[743].span_id.hex()))
        return logged_in

    return open_page


def is_in_view(page, name):
    row = page.locator(".row.is-selected", has_text=name)
    expect(row).to_be_in_viewport()
    return True


def test_the_head_leads_to_where_it_failed_however_far_down(open_wide):
    page = open_wide()
    failures = page.locator(".failures")
    expect(failures).to_contain_text("document 743 is empty")
    failures.locator("a", has_text="step 743").click()
    expect(page.locator("[data-panel] h2")).to_contain_text("step 743")
    assert is_in_view(page, "step 743")


def test_a_link_to_a_span_far_down_draws_its_row(open_wide):
    page = open_wide("?span=743")
    expect(page.locator("[data-panel] h2")).to_contain_text("step 743")
    assert is_in_view(page, "step 743")


def test_the_next_error_is_found_before_its_row_is_drawn(open_wide):
    page = open_wide()
    page.keyboard.press("e")
    expect(page.locator("[data-panel] h2")).to_contain_text("step 20")
    page.keyboard.press("e")
    expect(page.locator("[data-panel] h2")).to_contain_text("step 743")
    page.keyboard.press("e")
    expect(page.locator("[data-panel] h2")).to_contain_text("step 20")


def test_a_folded_or_filtered_span_shows_when_it_is_chosen(open_wide):
    page = open_wide()
    link = page.locator(".failures a", has_text="step 20")
    page.click("[data-collapse-all]")
    expect(page.locator(".row:visible")).to_have_count(1)
    link.click()
    assert is_in_view(page, "step 20")
    page.fill(".waterfall-tools [name=q]", "step 3")
    expect(page.locator(".row", has_text="step 20")).to_have_count(0)
    link.click()
    assert is_in_view(page, "step 20")


@pytest.fixture
def open_long(logged_in, live_server, project):
    """The page of a trace whose only span has an input of 100,000 characters."""
    export(export_request(span("read", attrs={"input.value": "word " * 20_000})), project)
    logged_in.goto(f"{live_server.url}/admin/traces/trace/{Trace.objects.get().pk}/change/")
    return logged_in


def test_a_long_text_is_shown_whole_when_asked_for(open_long):
    page = open_long
    text = page.locator("[data-tabpanel=content] .value")
    expect(text).to_have_attribute("data-cut", "")
    page.locator("[data-tabpanel=content] .copy").click()
    expect(page.locator("[data-tabpanel=content] .copy")).to_have_text("Copied the part shown")
    page.locator("[data-tabpanel=content]").get_by_role("button", name="Show everything").click()
    expect(page.locator("[data-cut]")).to_have_count(0)
    assert len(text.text_content()) == 100_000


def test_a_copy_button_is_itself_again_after_two_clicks(open_long):
    copy = open_long.locator("[data-tabpanel=content] .copy")
    copy.click()
    expect(copy).to_have_text("Copied the part shown")
    copy.click()
    open_long.wait_for_timeout(1_500)
    expect(copy).to_have_text("Copy")


def test_a_text_that_scrolls_in_its_box_can_have_its_full_height(open_long):
    page = open_long
    box = page.locator("[data-tabpanel=content] .value")
    page.locator("[data-tabpanel=content]").get_by_role("button", name="Full height").click()
    assert box.evaluate("box => box.scrollHeight <= box.clientHeight")
    page.locator("[data-tabpanel=content]").get_by_role("button", name="Less").click()
    assert box.evaluate("box => box.scrollHeight > box.clientHeight")


def test_times_are_in_the_zone_of_the_reader_and_name_it(logged_in, live_server, project):
    page = logged_in
    page.context.new_cdp_session(page).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tehran"})
    export(export_request(span("call", start_ns=1_700_000_000_123_456_789)), project)
    page.goto(f"{live_server.url}/admin/traces/trace/")
    expect(page.locator("td.field-started")).to_have_text("2023-11-15 01:43")
    expect(page.locator(".list-foot .zone")).to_have_text("Times: Asia/Tehran (UTC+3:30)")
    page.click("a.title")
    expect(page.locator(".trace-head time")).to_have_text("2023-11-15 01:43:20.123 UTC+3:30")


def test_keys_lead_to_the_older_and_the_newer_trace_of_the_project(logged_in, live_server, project, other_project):
    page = logged_in
    start = 1_700_000_000_000_000_000
    for number, name in enumerate(("first", "second", "third")):
        export(export_request(span(name, start_ns=start + 2 * number)), project)
    export(export_request(span("of others", start_ns=start + 3)), other_project)
    page.goto(f"{live_server.url}/admin/traces/trace/{Trace.objects.get(name='third').pk}/change/")
    for key, name in (("n", "second"), ("n", "first"), ("n", "first"), ("p", "second")):
        page.keyboard.press(key)
        expect(page.locator("[data-panel] h2")).to_contain_text(name)


def test_a_screen_reader_is_told_the_active_row(open_wide):
    page = open_wide()
    page.keyboard.press("j")
    tree = page.locator("[role=tree]")
    expect(tree).to_be_focused()
    expect(page.locator(".row.is-selected")).to_have_id(tree.get_attribute("aria-activedescendant"))
    assert set(tree.evaluate("tree => [...tree.children].map(child => child.role)")) == {"treeitem"}


def test_the_name_of_a_span_comes_before_its_facts(logged_in, live_server, project):
    page = logged_in
    model = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "a-model-with-a-long-name-" * 3,
        "llm.cost.total": 0.25,
    }
    attrs = model | {"llm.token_count.prompt": 123_456, "llm.token_count.completion": 123_456}
    export(export_request(span("chat gpt-4o-mini", attrs=attrs)), project)
    page.goto(f"{live_server.url}/admin/traces/trace/{Trace.objects.get().pk}/change/")
    assert page.locator(".row .name").evaluate("name => name.scrollWidth <= name.clientWidth")
    expect(page.locator(".row .cost")).to_be_in_viewport()


def test_texts_run_in_their_own_direction(logged_in, live_server, project):
    page = logged_in
    attrs = {"input.value": "مرحبا، ما هي عاصمة سلوفينيا؟", "output.value": '{"جواب": "ليوبليانا"}'}
    export(export_request(span("ask", attrs=attrs)), project)
    direction = "text => getComputedStyle(text).direction"
    page.goto(f"{live_server.url}/admin/traces/trace/")
    assert page.locator("td.field-said .preview").first.evaluate(direction) == "rtl"
    page.click("a.title")
    values = page.locator("[data-tabpanel=content] .value")
    expect(values).to_have_count(2)
    assert [value.evaluate(direction) for value in values.all()] == ["rtl", "ltr"]
