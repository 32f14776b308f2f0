"""Sessions of people: how long one lasts, and what ends it at once.

Every sign-in notes the account's stamp in its session. Taking a right away gives the account another stamp, and no
session with the old one is let in any more, also after the right is given back. The stamp comes with the account, so a
request takes no query for it.
"""

import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponseBase

from projects.acquaintances import acquaintances
from projects.models import ProjectMembership, SignInStamp

logger = logging.getLogger(__name__)

STAMP = "sign_in_stamp"
STARTED = "signed_in_at"
SEEN = "seen_at"
# A session's last use is written at most so often, in shares of the time that it may be idle.
NOTED_SHARE = 20
FLAGS = ("is_active", "is_staff", "is_superuser")
RANKS = {role: rank for rank, role in enumerate(ProjectMembership.Role.values)}


def may_sign_in(user: Any) -> bool:
    """What the admin asks of whoever opens one of its pages, and the API of whoever comes with a session."""
    return bool(user.is_active and getattr(user, "is_staff", False))


class StampedBackend(ModelBackend):
    """Django's accounts and passwords; the account of a session comes with its stamp, in the same query."""

    def get_user(self, user_id: int) -> User | None:
        user = User.objects.select_related("sign_in_stamp").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None


def stamp_of(user: User) -> str:
    """What a session of the account must hold. An account that nothing was taken from has no row."""
    try:
        return user.sign_in_stamp.value
    except SignInStamp.DoesNotExist:
        return ""


def end_sessions(user_id: int) -> None:
    """Let no session of the account in that began before. One statement."""
    SignInStamp.objects.update_or_create(user_id=user_id, defaults={"value": secrets.token_hex(8)})


def begin(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Receiver of `user_logged_in`."""
    stamp = SignInStamp.objects.filter(user=user).values_list("value", flat=True).first()
    now = int(time.time())
    request.session.update({STAMP: stamp or "", STARTED: now, SEEN: now})


def has_ended(session: Any, user: User, now: float) -> bool:
    """Whether the session is too old, was not used for too long, or began before a right was taken away."""
    return bool(
        session.get(STAMP) != stamp_of(user)
        or now - session.get(STARTED, 0) > settings.SESSION_MAX_HOURS * 3600
        or now - session.get(SEEN, 0) > settings.SESSION_IDLE_MINUTES * 60
    )


class SessionAges:
    """Middleware: signs out whoever's session has ended, and notes the use of the others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            user, now = request.user, time.time()
            if user.is_authenticated and has_ended(request.session, user, now):
                logout(request)
                return self.get_response(request)
            if user.is_authenticated:
                acquaintances.note(request.COOKIES[settings.SESSION_COOKIE_NAME])
            if now - request.session.get(SEEN, 0) > settings.SESSION_IDLE_MINUTES * 60 / NOTED_SHARE:
                note_use(request, int(now))
        return self.get_response(request)


def note_use(request: HttpRequest, now: int) -> None:
    """A database that takes no writes now, or a sign-out meanwhile, loses the note, never the request."""
    request.session[SEEN] = now
    try:
        request.session.save()
    except (DatabaseError, UpdateError) as error:
        logger.warning("The use of a session was not recorded: %s", type(error).__name__)
    request.session.modified = False


def note_rights(instance: User, update_fields: Any = None, **_: Any) -> None:
    """Receiver of `pre_save` of accounts: a flag that goes ends the account's sessions. One query."""
    if instance.pk is None or (update_fields is not None and not set(FLAGS) & set(update_fields)):
        return
    before = User.objects.filter(pk=instance.pk).values(*FLAGS).first()
    if before is not None and any(before[flag] and not getattr(instance, flag) for flag in FLAGS):
        end_sessions(instance.pk)


def note_role(instance: ProjectMembership, **_: Any) -> None:
    """Receiver of `pre_save` of memberships: so does a role that becomes a lower one, or another's. One query."""
    before = ProjectMembership.objects.filter(pk=instance.pk).first() if instance.pk else None
    if before is None:
        return
    is_same = (before.user_id, before.project_id) == (instance.user_id, instance.project_id)
    if not is_same or RANKS[instance.role] < RANKS[before.role]:
        end_sessions(before.user_id)


def note_removal(instance: ProjectMembership, origin: Any = None, **_: Any) -> None:
    """Receiver of `post_delete` of memberships: so does the end of one, unless the account itself goes."""
    if not isinstance(origin, User) and User.objects.filter(pk=instance.user_id).exists():
        end_sessions(instance.user_id)
