"""Lists over tables of any size: no COUNT, one index scan a project, a bound on what a filter may look through."""

import heapq
from collections.abc import Sequence
from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from projects.roles import project_ids
from traces.admin_filters import ParameterFilter

# How many of a project's newest rows a search or a filter without an index looks through.
SCAN_ROWS = 100_000
MAX_PAGE = 200


class UncountedPaginator(Paginator):  # type: ignore[type-arg]
    """Stands in where Django wants a paginator; the pages come from NewestFirstList."""

    count = 0


class NewestFirstList(ChangeList):
    """Pages of a list, newest first: the rows of a page, and whether there are more.

    At most two queries a project that is looked at and one for the rows, whatever the number of rows. The model has an
    index on its project and its default order, whose leading column `model_admin.newest_first` names.
    """

    model_admin: Any
    has_more = False
    looked_through: int | None = None

    def get_results(self, request: HttpRequest) -> None:
        self.page_num = min(max(self.page_num, 1), MAX_PAGE)
        first = (self.page_num - 1) * self.list_per_page
        keys = self._keys(request, first + self.list_per_page + 1)[first:]
        self.has_more = len(keys) > self.list_per_page and self.page_num < MAX_PAGE
        keys = keys[: self.list_per_page]
        rows = {row.pk: row for row in self._rows(keys)}
        self.result_list = [rows[key] for key in keys if key in rows]
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.result_list, self.list_per_page)

    @property
    def is_plain(self) -> bool:
        """Neither searched nor filtered."""
        return not (self.query or any(spec.used_parameters for spec in self._parameter_filters))

    @property
    def newer_url(self) -> str:
        return self.get_query_string({PAGE_VAR: self.page_num - 1})

    @property
    def older_url(self) -> str:
        return self.get_query_string({PAGE_VAR: self.page_num + 1})

    def _rows(self, keys: Sequence[Any]) -> QuerySet[Any]:
        return self.apply_select_related(self.model_admin.list_rows(self.root_queryset.filter(pk__in=keys)))

    def _keys(self, request: HttpRequest, limit: int) -> list[Any]:
        """Primary keys of the first rows in the list's order."""
        chosen = next((spec.chosen for spec in self._parameter_filters if spec.name == "project"), "")
        projects = [int(chosen)] if chosen else project_ids(request.user, self.model_admin.view_role)
        bounded = bool(self.query) or any(spec.chosen and not spec.indexed for spec in self._parameter_filters)
        column = self.model_admin.newest_first
        if ORDER_VAR in self.params:
            rows = self.queryset.filter(project__in=projects)
            return list(rows.values_list("pk", flat=True)[:limit])
        heads = []
        for project in projects:
            rows = self.queryset.filter(project=project).order_by(f"-{column}", "-pk")
            if bounded:
                rows = self._within_scan(request, rows, project, column)
            heads.append(rows.values_list(column, "pk")[:limit])
        merged = heapq.merge(*heads, reverse=True)
        return [key for _, (_, key) in zip(range(limit), merged, strict=False)]

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
