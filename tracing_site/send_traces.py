"""The page on how a client sends its traces: what to install, set and run, with the reader's address and key."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_post_parameters

from tracing_site.client_guides import chosen_guide

MAX_KEY_CHARACTERS = 500


@sensitive_post_parameters("key")
def send_traces(request: HttpRequest) -> HttpResponse:
    """`?client=` chooses. A key comes by POST only, so that it stands in no address, and is kept nowhere. No query."""
    context = {
        **admin.site.each_context(request),
        "title": "Send traces",
        "guide": chosen_guide(request),
        "key_text": request.POST.get("key", "").strip()[:MAX_KEY_CHARACTERS],
    }
    return TemplateResponse(request, "admin/send_traces.html", context)
