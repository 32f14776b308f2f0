"""Pages of the admin's lists: by keyset where the newest comes first, by number where people chose another order."""

import re
from html import unescape
from itertools import chain

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.builders import export_request, span
from traces.admin import lists
from traces.admin.traces import TraceAdmin
from traces.otlp.receiver import export

pytestmark = pytest.mark.django_db
LIST = "/admin/traces/trace/"
T = 1_700_000_000_000_000_000


@pytest.fixture(autouse=True)
def three_rows_a_page(monkeypatch):
    monkeypatch.setattr(TraceAdmin, "list_per_page", 3)


@pytest.fixture
def store(project, other_project):
    """Exports traces of these names, each to one of two projects in turn; two neighbours start at the same time."""

    def export_all(names):
        for number, name in enumerate(names):
            export(export_request(span(name, start_ns=T + number // 2)), (project, other_project)[number % 2])

    return export_all


def rows(html):
    return re.findall(r"</span>(run-\d)</a>", html)


def link(html, rel):
    found = re.search(rf'href="([^"]*)" rel="{rel}"', html)
    return LIST + unescape(found[1]) if found else None


def walk(client, url, rel):
    """The rows of every page from here on, as far as the links lead."""
    pages = []
    while url:
        html = client.get(url).content.decode()
        pages.append(rows(html))
        url = link(html, rel)
    return pages


def page_url(client, depth):
    url = LIST
    for _ in range(depth):
        url = link(client.get(url).content.decode(), "next")
    return url


def test_pages_lead_to_the_end_and_back(admin_client, store):
    store(f"run-{number}" for number in range(8))
    pages = walk(admin_client, LIST, "next")
    assert [len(page) for page in pages] == [3, 3, 2]
    assert sorted(chain.from_iterable(pages), reverse=True) == [f"run-{number}" for number in range(7, -1, -1)]
    assert walk(admin_client, page_url(admin_client, 2), "prev") == pages[::-1]


def test_a_page_stays_what_it_is_while_traces_arrive(admin_client, store, project):
    store(f"run-{number}" for number in range(6))
    first, second = walk(admin_client, LIST, "next")
    url = page_url(admin_client, 1)
    export(export_request(span("run-9", start_ns=T + 9)), project)
    html = admin_client.get(url).content.decode()
    assert rows(html) == second
    back = admin_client.get(link(html, "prev")).content.decode()
    assert rows(back) == first
    assert rows(admin_client.get(link(back, "prev")).content.decode())[0] == "run-9"


def test_a_far_page_costs_what_the_first_one_costs(admin_client, store):
    store(f"run-{number}" for number in range(8))
    costs = []
    for url in (LIST, page_url(admin_client, 2)):
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(url)
        costs.append(len(queries))
        assert not any("OFFSET" in query["sql"] for query in queries)
    assert costs[0] == costs[1]


def test_a_filter_keeps_to_its_rows_and_starts_at_the_newest(admin_client, store, project):
    store(f"run-{number}" for number in range(8))
    pages = walk(admin_client, f"{LIST}?project={project.pk}", "next")
    assert sorted(chain.from_iterable(pages)) == ["run-0", "run-2", "run-4", "run-6"]
    html = admin_client.get(page_url(admin_client, 1)).content.decode()
    assert all("older=" not in found for found in re.findall(r'href="(\?o=[^"]*)"', html))


def test_another_order_has_numbered_pages(admin_client, store, monkeypatch):
    monkeypatch.setattr(lists, "MAX_PAGE", 2)
    store(f"run-{number}" for number in range(8))
    pages = walk(admin_client, f"{LIST}?o=1", "next")
    assert [len(page) for page in pages] == [3, 3]
    assert "Previous" in admin_client.get(f"{LIST}?o=1&p=2").content.decode()


@pytest.mark.parametrize("text", ["x", "1_x", f"{2**63}_{'0' * 32}", "_"])
def test_an_address_of_no_page_shows_the_newest(admin_client, store, text):
    store(["run-0"])
    assert rows(admin_client.get(LIST, {"older": text}, follow=True).content.decode()) == ["run-0"]


def test_receipts_have_pages_too(admin_client, store, monkeypatch):
    monkeypatch.setattr("traces.admin.receipts.LedgerAdmin.list_per_page", 3)
    store(f"run-{number}" for number in range(4))
    url, seen = "/admin/traces/exportreceipt/", []
    while url:
        html = admin_client.get(url).content.decode()
        seen += re.findall(r"exportreceipt/([0-9a-f-]{32,36})/change", html)
        following = link(html, "next")
        url = following and following.replace(LIST, "/admin/traces/exportreceipt/")
    assert len(seen) == len(set(seen)) == 4
