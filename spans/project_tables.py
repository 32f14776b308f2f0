"""The tables of each project, compiled once a change, in every process.

The project's row, which every export and every page loads, carries a version. A project without rules and prices has
version 0 and costs nothing; a change is seen with the next request, by all processes.
"""

from collections import OrderedDict
from threading import Lock

from projects.models import Project
from spans.models import MappingRule, ModelPrice
from spans.semconv.tables import BUILT_IN, ProjectTables, compile_tables

# Compiled tables take about a megabyte a project.
REMEMBERED_PROJECTS = 64

_remembered: OrderedDict[int, tuple[int, ProjectTables]] = OrderedDict()
_lock = Lock()


def tables_for(project: Project) -> ProjectTables:
    """The conventions that hold for a project. No query but after a change: two then."""
    version = project.conventions_version
    if version == 0:
        return BUILT_IN
    with _lock:
        found = _remembered.get(project.pk)
        if found is not None and found[0] == version:
            _remembered.move_to_end(project.pk)
            return found[1]
    tables = load_tables(project.pk)
    with _lock:
        _remembered[project.pk] = (version, tables)
        while len(_remembered) > REMEMBERED_PROJECTS:
            _remembered.popitem(last=False)
    return tables


def load_tables(project_id: int, instead: MappingRule | None = None) -> ProjectTables:
    """Compile them anew; with `instead` in place of the stored rule that it is, or beside all of them. Two queries."""
    rules = list(MappingRule.objects.filter(project=project_id, enabled=True))
    if instead is not None:
        rules = [rule for rule in rules if rule.pk != instead.pk] + [instead]
    prices = [price.as_price() for price in ModelPrice.objects.filter(project=project_id)]
    return compile_tables(rules, prices) if rules or prices else BUILT_IN


class TablesByProject(dict[int, ProjectTables]):
    """Tables by project key, for readers of spans of many projects. One query for each that is met."""

    def __missing__(self, project_id: int) -> ProjectTables:
        project = Project.objects.only("conventions_version").filter(pk=project_id).first()
        self[project_id] = tables_for(project) if project is not None else BUILT_IN
        return self[project_id]
