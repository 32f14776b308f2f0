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

from projects.acquaintances import acquaintances
from projects.known_keys import known_keys
from projects.models import ApiKey, Project, ProjectMembership, hash_key
from projects.request_context import project_id
from projects.roles import Role, may, project_ids
from projects.sent_keys import HOW_TO_SEND, describe_flaw, is_basic_only, readings, sent_values
from projects.sessions import may_sign_in

logger = logging.getLogger(__name__)

CHALLENGE = 'Bearer realm="tracing"'
# Where the ASGI gate leaves the key that it has found, so that it is looked up once a request.
SCOPE_ENTRY = "projects.api_key"

MISSING_KEY = "no API key"
INVALID_KEY = "invalid api key"


class InvalidKey(Exception):
    """There is no key in the headers, or it is unknown, expired or revoked. `reason` says which, and quotes nothing."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(f"{message}: {reason}")
        self.reason = reason


def known_key(headers: Mapping[str, str]) -> ApiKey | None:
    """The usable key that the headers carry if it was looked up just now. No query.

    Raises InvalidKey where there is none, or where it was looked up just now and not found.
    """
    texts = _sent_texts(headers)
    if (reason := known_keys.refusal(_refused_hash(texts))) is not None:
        raise InvalidKey(INVALID_KEY, reason)
    return next((key for text in texts if (key := known_keys.get(hash_key(text)))), None)


def find_key(headers: Mapping[str, str]) -> ApiKey:
    """The usable key that the headers carry, its project loaded. One query. Raises InvalidKey, DatabaseError."""
    texts = _sent_texts(headers)
    changes = known_keys.changes
    found = ApiKey.objects.with_texts(texts)
    for key in found:
        if key.is_usable:
            known_keys.remember(key, changes)
            acquaintances.note(key.key_hash)
            return key
    reason = _why_unusable(found[0]) if found else describe_flaw(headers)
    known_keys.refuse(_refused_hash(texts), changes, reason)
    raise InvalidKey(INVALID_KEY, reason)


def _sent_texts(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What the headers may mean as the key, at least one text. Raises InvalidKey."""
    if texts := readings(headers):
        return texts
    if sent_values(headers):
        raise InvalidKey(INVALID_KEY, describe_flaw(headers))
    raise InvalidKey(MISSING_KEY, HOW_TO_SEND)


def _refused_hash(texts: tuple[str, ...]) -> str:
    """What a refusal of all these texts is remembered by. No header's value has a line break."""
    return hash_key("\n".join(texts))


def _why_unusable(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"this API key was revoked on {key.revoked_at:%Y-%m-%d}"
    return f"this API key expired on {key.expires_at:%Y-%m-%d at %H:%M} UTC"


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
            if not sent_values(request.headers):
                return None
            try:
                key = find_key(request.headers)
            except InvalidKey as error:
                if is_basic_only(request.headers) and request._request.user.is_authenticated:
                    return None
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


class CanAudit(_HasScope):
    scope = "can_audit"
    message = "this API key or account may not read the audit log"

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and (request.auth is not None or may(request.user, Role.OWNER))


def audited_projects(request: Request) -> list[int] | None:
    """Ids of the projects whose audit log the request may read; None for a superuser, who reads all of it."""
    if isinstance(request.auth, ApiKey):
        return [request.auth.project_id]
    return None if getattr(request.user, "is_superuser", False) else project_ids(request.user, Role.OWNER)


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
