"""Times in the admin: as the server writes them, until the page's script turns them to the reader's zone."""

import datetime
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString


def moment(when: datetime.datetime | None) -> SafeString | str:
    """A <time>, its title in UTC; nothing for None."""
    if when is None:
        return ""
    exact = when.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    local = timezone.localtime(when).strftime("%Y-%m-%d %H:%M:%S")
    return format_html('<time datetime="{}" data-unix-nano="" title="{}">{}</time>', exact, exact, local)


def moment_column(field: str, heading: str) -> Callable[[Any], SafeString | str]:
    """A column of a list for a field that is a time, sorted by it."""

    def cell(row: Any) -> SafeString | str:
        return moment(getattr(row, field))

    cell.__name__ = field
    return admin.display(description=heading, ordering=field)(cell)
