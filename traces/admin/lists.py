"""Lists over tables of any size: no COUNT, one index scan a project, a bound on what a filter may look through."""

import datetime
import heapq
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.db.models.expressions import OrderBy
from django.http import HttpRequest

from projects.roles import project_ids
from traces.admin.filters import ParameterFilter
from traces.reading.lists import Position, beyond

# How many of a project's newest rows a search or a filter without an index looks through.
SCAN_ROWS = 100_000
MAX_PAGE = 200
# Parameters: the row that a page starts behind, going back in time or towards now.
OLDER, NEWER = POSITIONS = ("older", "newer")
SEPARATOR = "_"


class UncountedPaginator(Paginator):  # type: ignore[type-arg]
    """Stands in where Django wants a paginator; the pages come from NewestFirstList."""

    count = 0


def _text(position: Position) -> str:
    return f"{position.value}{SEPARATOR}{position.key}"


class NewestFirstList(ChangeList):
    """Pages of a list, newest first, by keyset: a page starts at a row, however far back it is.

    At most four queries a project that is looked at and one for the rows, whatever the number of rows. The model has an
    index on its project and its default order, whose leading column `model_admin.newest_first` names. Where people sort
    by another column, pages have numbers up to MAX_PAGE.
    """

    model_admin: Any
    newer_url = ""
    older_url = ""
    looked_through: int | None = None

    def get_results(self, request: HttpRequest) -> None:
        keys = self._numbered_page(request) if self.is_sorted else self._page(request)
        rows = {row.pk: row for row in self._rows(keys)}
        self.result_list = [rows[key] for key in keys if key in rows]
        for row in self.result_list:
            row.list_query = request.GET.urlencode()  # the page of the row leads back by it
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.result_list, self.list_per_page)

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        found = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in POSITIONS}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Every other link of the list leads to its first page; that of a heading sorts by its column alone, and at
        the first click from the largest on."""
        order = str((new_params or {}).get(ORDER_VAR, "")).partition(".")[0]
        if order:
            is_new = order.isdecimal() and int(order) not in self.get_ordering_field_columns()
            new_params = {**new_params, ORDER_VAR: f"-{order}" if is_new else order}
        return super().get_query_string(new_params, [*(remove or ()), *POSITIONS])

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """What a column doesn't know is last in both directions."""
        ordering = super().get_ordering(request, queryset)
        for part in ordering:
            if isinstance(part, OrderBy) and (part.nulls_first or part.nulls_last):
                part.nulls_first, part.nulls_last = False, True
        return ordering

    @property
    def problems(self) -> list[str]:
        """Why filters that have a value don't apply."""
        return [spec.problem for spec in self._parameter_filters if spec.problem]

    @property
    def is_plain(self) -> bool:
        """Neither searched nor filtered."""
        return not (self.query or any(spec.used_parameters for spec in self._parameter_filters))

    @property
    def is_sorted(self) -> bool:
        """By a column that somebody chose."""
        return ORDER_VAR in self.params

    @property
    def first_url(self) -> str:
        return self.get_query_string()

    def _rows(self, keys: Sequence[Any]) -> QuerySet[Any]:
        return self.apply_select_related(self.model_admin.list_rows(self.root_queryset.filter(pk__in=keys)))

    def _numbered_page(self, request: HttpRequest) -> list[Any]:
        """Primary keys of the page's rows in the chosen order."""
        number = min(max(self.page_num, 1), MAX_PAGE)
        first = (number - 1) * self.list_per_page
        rows = self.queryset.filter(project__in=self._projects(request)).values_list("pk", flat=True)
        keys = list(rows[first : first + self.list_per_page + 1])
        if number > 1:
            self.newer_url = self.get_query_string({PAGE_VAR: number - 1})
        if len(keys) > self.list_per_page and number < MAX_PAGE:
            self.older_url = self.get_query_string({PAGE_VAR: number + 1})
        return keys[: self.list_per_page]

    def _page(self, request: HttpRequest) -> list[Any]:
        """Primary keys of the page's rows, newest first: behind the row that `older` names, or before `newer`'s."""
        size = self.list_per_page
        newer, older = (self._position(self.params.get(name)) for name in (NEWER, OLDER))
        if newer:
            found = self._positions(request, size + 1, newer, descending=False)
            page = found[:size][::-1]
            has_newer = has_older = len(found) > size
        if not newer or not has_newer:  # the newest page is always a full one
            found = self._positions(request, size + 1, None if newer else older, descending=True)
            page = found[:size]
            has_newer, has_older = bool(older and not newer), len(found) > size
        if page and has_newer:
            self.newer_url = self.get_query_string({NEWER: _text(page[0])})
        if page and has_older:
            self.older_url = self.get_query_string({OLDER: _text(page[-1])})
        return [position.key for position in page]

    def _position(self, text: str | None) -> Position | None:
        if not text:
            return None
        value, _, key = text.partition(SEPARATOR)
        column: Any = self.opts.get_field(self.model_admin.newest_first)
        try:
            found = Position(column.to_python(value), UUID(key))
            column.run_validators(found.value)
            if isinstance(found.value, datetime.datetime):
                found.value.astimezone(datetime.UTC)
        except (ValueError, OverflowError, ValidationError) as error:
            raise IncorrectLookupParameters(f"no such page: {text!r}") from error
        return found

    def _projects(self, request: HttpRequest) -> list[int]:
        chosen = (spec.chosen for spec in self._parameter_filters if spec.name == "project" and spec.is_applied)
        return [int(key) for key in chosen] or project_ids(request.user, self.model_admin.view_role)

    def _positions(self, request: HttpRequest, limit: int, start: Position | None, descending: bool) -> list[Position]:
        """The first rows behind `start`, from the newest on or towards it."""
        bounded = bool(self.query) or any(spec.is_applied and not spec.indexed for spec in self._parameter_filters)
        column = self.model_admin.newest_first
        sign = "-" if descending else ""
        heads = []
        for project in self._projects(request):
            rows = self.queryset.filter(project=project).order_by(f"{sign}{column}", f"{sign}pk")
            if start:
                rows = rows.filter(beyond(start, column, descending))
            if bounded:
                rows = self._within_scan(request, rows, project, column)
            heads.append(rows.values_list(column, "pk")[:limit])
        merged = heapq.merge(*heads, reverse=descending)
        return [Position(*row) for _, row in zip(range(limit), merged, strict=False)]

    @property
    def _parameter_filters(self) -> list[ParameterFilter]:
        return [spec for spec in self.filter_specs if isinstance(spec, ParameterFilter)]

    def _within_scan(self, request: HttpRequest, rows: QuerySet[Any], project: int, column: str) -> QuerySet[Any]:
        """The rows as far back as the scan may look: SCAN_ROWS within the time range."""
        candidates: QuerySet[Model] = self.root_queryset.filter(project=project)
        for spec in self._parameter_filters:
            if spec.indexed:
                candidates = spec.queryset(request, candidates)
        oldest = candidates.order_by(f"-{column}", "-pk").values_list(column, flat=True)[SCAN_ROWS : SCAN_ROWS + 1]
        for value in oldest:
            self.looked_through = SCAN_ROWS
            return rows.filter(**{f"{column}__gt": value})
        return rows
