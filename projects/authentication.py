"""Who is asking: an API key in a header, or for reading a user who is logged in to the admin."""

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.db.models import QuerySet
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from projects.known_keys import known_keys
from projects.models import ApiKey, Project, ProjectMembership, hash_key
from projects.request_context import project_id
from projects.sessions import may_sign_in

logger = logging.getLogger(__name__)

KEY_HEADER = "x-bee-authorization"
CHALLENGE = 'Bearer realm="tracing"'
# Where the ASGI gate leaves the key that it has found, so that it is looked up once a request.
SCOPE_ENTRY = "projects.api_key"

MISSING_KEY = f"no API key: send the header {KEY_HEADER}: KEY or Authorization: Bearer KEY"
INVALID_KEY = "invalid api key"


class InvalidKey(Exception):
    """There is no key in the headers, or it is unknown, expired or revoked."""


def key_text(headers: Mapping[str, str]) -> str | None:
    """The key that the headers carry, or None. The mapping finds lower-case names."""
    if text := headers.get(KEY_HEADER, "").strip():
        return text
    scheme, _, credentials = (headers.get("authorization") or "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def known_key(headers: Mapping[str, str]) -> ApiKey | None:
    """The usable key that the headers carry if it was looked up just now. No query.

    Raises InvalidKey where there is none, or where it was looked up just now and not found.
    """
    text = key_text(headers)
    if not text:
        raise InvalidKey(MISSING_KEY)
    key_hash = hash_key(text)
    if known_keys.is_refused(key_hash):
        raise InvalidKey(INVALID_KEY)
    return known_keys.get(key_hash)


def find_key(headers: Mapping[str, str]) -> ApiKey:
    """The usable key that the headers carry, its project loaded. One query. Raises InvalidKey, DatabaseError."""
    text = key_text(headers)
    if not text:
        raise InvalidKey(MISSING_KEY)
    changes = known_keys.changes
    key = ApiKey.objects.lookup(text)
    if key is None:
        known_keys.refuse(hash_key(text), changes)
        raise InvalidKey(INVALID_KEY)
    known_keys.remember(key, changes)
    return key


def note_use(key: ApiKey) -> None:
    """Record that the key was used. A database that can't take it now loses the note, never the request."""
    try:
        key.touch()
    except DatabaseError as error:
        logger.warning("The last use of API key %s was not recorded: %s", key.prefix, type(error).__name__)


class KeyAuthentication(BaseAuthentication):
    """`request.auth` becomes the ApiKey; `request.user` stays anonymous."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        key = request.META.get("asgi.scope", {}).get(SCOPE_ENTRY)
        if key is None:
            if key_text(request.headers) is None:
                return None
            try:
                key = find_key(request.headers)
            except InvalidKey as error:
                raise AuthenticationFailed(str(error)) from error
            note_use(key)
            project_id.set(key.project_id)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class PersonAuthentication(SessionAuthentication):
    """Whoever is signed in to the admin, and may still open its pages."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        found = super().authenticate(request)
        return found if found is not None and may_sign_in(found[0]) else None


class _HasScope(BasePermission):
    """A key needs the scope; what a logged-in user may touch, `visible_projects` and `editable_projects` decide."""

    scope: str
    open_to_users = True

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, ApiKey):
            return bool(getattr(request.auth, self.scope))
        return self.open_to_users and bool(request.user.is_authenticated)


class CanIngest(_HasScope):
    scope = "can_ingest"
    open_to_users = False
    message = "this API key may not send spans"


class CanRead(_HasScope):
    scope = "can_read"
    message = "this API key may not read"


class CanWrite(_HasScope):
    scope = "can_write"
    message = "this API key may not delete"


def _projects(request: Request, **membership: Any) -> QuerySet[Project]:
    if isinstance(request.auth, ApiKey):
        return Project.objects.filter(pk=request.auth.project_id)
    if not request.user.is_authenticated:
        return Project.objects.none()
    if request.user.is_superuser:
        return Project.objects.all()
    members = ProjectMembership.objects.filter(user=request.user, **membership)
    return Project.objects.filter(pk__in=members.values("project"))


def visible_projects(request: Request) -> QuerySet[Project]:
    """The projects whose traces the request may read: the key's, the member's, or all for a superuser."""
    return _projects(request)


def editable_projects(request: Request) -> QuerySet[Project]:
    """The projects whose traces the request may delete: the key's, or those where the user is editor or owner."""
    return _projects(request, role__in=[ProjectMembership.Role.EDITOR, ProjectMembership.Role.OWNER])
