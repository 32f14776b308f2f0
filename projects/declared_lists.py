"""Lists that take declared parameters only.

Django's own admin takes any lookup on any column from the address: a regular expression runs in this process on SQLite,
and a search in a large column reads all of it. Here what a list may be asked is what its filters name; all else is 400.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.admin import FieldListFilter, ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

MAX_SEARCH_CHARS = 500
# Django's search looks for each word in each column.
MAX_SEARCH_WORDS = 10
# Of an unknown parameter or a wrong value that the page repeats
SHOWN_CHARS = 100
MAX_SHOWN = 5
MAX_REASON_CHARS = 1_000


class RefusedParameters(Exception):
    """What the address asks of a list that the list doesn't offer (400); the text is for its reader."""


class WrongValue(Exception):
    """A value that a filter of the list can't read; the text is for its reader."""


class DeclaredListAdmin(ModelAdmin):  # type: ignore[type-arg]
    """A list whose address may have the parameters of its filters and `list_parameters`; with any other it is 400."""

    list_parameters = frozenset({SEARCH_VAR, ORDER_VAR, PAGE_VAR, ALL_VAR, ERROR_FLAG, IS_POPUP_VAR, TO_FIELD_VAR})

    def filter_parameters(self, request: HttpRequest) -> Iterator[str]:
        """The names of the parameters that the list's filters read."""
        for item in self.get_list_filter(request):
            spec: Any
            if callable(item):
                spec = item(request, {}, self.model, self)
            else:
                path: Any
                kind: Any
                path, kind = item if isinstance(item, tuple | list) else (item, FieldListFilter.create)
                field = get_fields_from_path(self.model, path)[-1]
                spec = kind(field, request, {}, self.model, self, field_path=path)
            yield from spec.expected_parameters()

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what a filter declares."""
        return request is not None and lookup in self.filter_parameters(request)

    def check_parameters(self, request: HttpRequest) -> None:
        """Raises RefusedParameters, WrongValue."""
        fields = {item for item in self.get_list_filter(request) if isinstance(item, str)}
        if any("\0" in value and name.split("__")[0] in fields for name, value in request.GET.items()):
            raise WrongValue("No value holds a NUL character.")
        asked = set(request.GET) - self.list_parameters
        if asked:
            declared = set(self.filter_parameters(request))
            if unknown := sorted(asked - declared):
                shown = ", ".join(name[:SHOWN_CHARS] for name in unknown[:MAX_SHOWN])
                more = f" and {len(unknown) - MAX_SHOWN} more" if len(unknown) > MAX_SHOWN else ""
                offered = f"It can be narrowed by {', '.join(sorted(declared))}." if declared else "It has no filters."
                raise RefusedParameters(f"This list has no filter {shown}{more}. {offered}")
        if len(request.GET.get(SEARCH_VAR, "")) > MAX_SEARCH_CHARS:
            raise RefusedParameters(f"A search has at most {MAX_SEARCH_CHARS} characters.")
        if request.GET.get(ORDER_VAR, "").count(".") >= len(self.get_list_display(request)):
            raise RefusedParameters("A list is sorted by each of its columns once.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if len(search_term.split()) > MAX_SEARCH_WORDS:
            raise IncorrectLookupParameters(f"This list is searched for at most {MAX_SEARCH_WORDS} words.")
        return super().get_search_results(request, queryset, search_term)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Raises RefusedParameters, WrongValue."""
        self.check_parameters(request)
        try:
            return super().get_changelist_instance(request)
        except IncorrectLookupParameters as error:
            raise WrongValue(_text(error)) from error

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        """Raises RefusedParameters."""
        for selected in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.to_python(selected)
            except ValidationError:
                raise RefusedParameters(f"No row has the key {selected[:SHOWN_CHARS]}.") from None
        return super().response_action(request, queryset, *args)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except RefusedParameters as error:
            return self.refuse(request, error)
        except WrongValue as error:
            return self.show_all(request, error)

    def show_all(self, request: HttpRequest, error: WrongValue | IncorrectLookupParameters) -> HttpResponse:
        """The whole list, and why it is that."""
        messages.warning(request, f"The list is not narrowed: {_text(error)}")
        return HttpResponseRedirect(request.path)

    def refuse(self, request: HttpRequest, error: RefusedParameters) -> HttpResponse:
        """The page that says what is wrong with the address."""
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Not understood",
            "opts": self.opts,
            "reason": str(error),
            "list_url": request.path,
        }
        return TemplateResponse(request, "admin/refused_parameters.html", context, status=400)


def _text(error: Exception) -> str:
    """What our filters and Django's fields say; Django's paginator says nothing."""
    reason = error.args[0] if error.args else "There is no such page of this list."
    said = getattr(reason, "messages", None)
    text = " ".join(said) if said else str(reason)
    return text if len(text) <= MAX_REASON_CHARS else text[:MAX_REASON_CHARS] + "…"
