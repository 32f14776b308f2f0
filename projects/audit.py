"""The audit log: which models' changes go into it, and sign-ins. Written in the transaction of what it tells of.

Each app names its models in its `ready`: `watch(Model, …)`. What changes rows by `QuerySet.update` goes past it.
"""

import datetime
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, models, transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.http import HttpRequest
from django.utils import timezone

from projects import origin, request_context
from projects.models import AuditEvent, Project

logger = logging.getLogger(__name__)

Action = AuditEvent.Action
Changes = dict[str, dict[str, Any]]
HIDDEN, ANOTHER = "(hidden)", "(hidden, another one)"
# Longer values are cut: the log says what was done, it is no second copy of the data.
MAX_VALUE_CHARS = 1_000
_BEFORE = "_audited_before"


def record(
    action: AuditEvent.Action,
    object_type: str,
    object_id: Any = "",
    object_name: str = "",
    *,
    project_id: int | None = None,
    project_slug: str = "",
    changes: Changes | None = None,
    actor: str | None = None,
    request: HttpRequest | None = None,
) -> None:
    """Write a row, and its log line once that is committed. One statement. Raises DatabaseError."""
    request = request or origin.current_request()
    event = AuditEvent(
        action=action,
        actor=(_actor(request) if actor is None else actor)[:150],
        address=origin.client_address(request)[:45],
        request_id=request_context.request_id.get()[:128],
        project_id=project_id,
        project_slug=project_slug,
        object_type=object_type[:50],
        object_id=str(object_id)[:40],
        object_name=object_name.replace("\0", "�")[:200],
        changes=changes or {},
    )
    event.save(force_insert=True)
    transaction.on_commit(lambda: logger.info("audit", extra={"fields": event.as_json()}))


def _actor(request: HttpRequest | None) -> str:
    """Who is signed in; without a request, the command and its user."""
    if request is None:
        return origin.command()
    user = getattr(request, "user", None)
    return user.get_username() if user is not None and user.is_authenticated else ""


@dataclass(frozen=True)
class Watched:
    """A model whose changes are audited: all its editable fields but `ignored`; of `secret` ones only that."""

    model: type[models.Model]
    name: Callable[[Any], str]
    secret: frozenset[str]
    fields: tuple[Any, ...]

    def values(self, row: Any) -> dict[str, Any]:
        return {field.name: row.__dict__.get(field.attname) for field in self.fields}

    def differences(self, before: dict[str, Any], after: dict[str, Any]) -> Changes:
        found: Changes = {}
        for field in self.fields:
            old, new = before.get(field.name), after.get(field.name)
            if old == new or (old in (None, "") and new in (None, "")):
                continue
            if field.name in self.secret:
                told = tuple(None if value in (None, "") else HIDDEN for value in (old, new))
                if None not in told:
                    told = HIDDEN, ANOTHER
            else:
                told = _told(field, old), _told(field, new)
            found[field.name] = {"before": told[0], "after": told[1]}
        return found

    def note_before(self, instance: Any, update_fields: Iterable[str] | None = None, **_: Any) -> None:
        """Receiver of `pre_save`. One query, where a watched field may change in a row that exists."""
        instance.__dict__.pop(_BEFORE, None)
        names = {field.name for field in self.fields}
        if instance._state.adding or (update_fields is not None and not names & set(update_fields)):
            return
        # Nobody asks for a password alone to be saved but a sign-in that hashes it anew.
        if update_fields is not None and set(update_fields) == {"password"}:
            return
        stored = self.model._base_manager.filter(pk=instance.pk).first()
        if stored is not None:
            instance.__dict__[_BEFORE] = self.values(stored)

    def note_saved(self, instance: Any, created: bool, **_: Any) -> None:
        """Receiver of `post_save`."""
        before = instance.__dict__.pop(_BEFORE, None)
        if not created and before is None:
            return
        changes = self.differences(before or {}, self.values(instance))
        if created or changes:
            self._record(Action.CREATED if created else Action.CHANGED, instance, changes)

    def note_deleted(self, instance: Any, **_: Any) -> None:
        """Receiver of `post_delete`."""
        self._record(Action.DELETED, instance, self.differences(self.values(instance), {}))

    def _record(self, action: AuditEvent.Action, instance: Any, changes: Changes) -> None:
        is_project = self.model is Project
        project_id = instance.pk if is_project else getattr(instance, "project_id", None)
        slug = instance.slug if is_project else _slug(project_id)
        record(
            action,
            str(self.model._meta.verbose_name),
            instance.pk,
            self.name(instance),
            project_id=project_id,
            project_slug=slug,
            changes=changes,
        )


def watch(
    model: type[models.Model],
    *,
    name: Callable[[Any], str] = str,
    ignored: Iterable[str] = (),
    secret: Iterable[str] = (),
) -> None:
    """Audit the model's changes. `name` is what the log calls a row."""
    fields = tuple(
        field
        for field in model._meta.concrete_fields
        if field.editable and not field.primary_key and field.name not in {"project", *ignored}
    )
    watched = Watched(model, name, frozenset(secret), fields)
    pre_save.connect(watched.note_before, sender=model, weak=False)
    post_save.connect(watched.note_saved, sender=model, weak=False)
    post_delete.connect(watched.note_deleted, sender=model, weak=False)


def _slug(project_id: int | None) -> str:
    if project_id is None:
        return ""
    return Project.objects.filter(pk=project_id).values_list("slug", flat=True).first() or ""


def _told(field: Any, value: Any) -> Any:
    """The value as JSON has it; an account by its user name."""
    if value is not None and isinstance(field, models.ForeignKey) and field.related_model is User:
        return User.objects.filter(pk=int(value)).values_list("username", flat=True).first()
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False).strip('"')
    text = text.replace("\0", "�")
    return text if len(text) <= MAX_VALUE_CHARS else text[:MAX_VALUE_CHARS] + "…"


def note_sign_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Receiver of `user_logged_in`."""
    record(Action.SIGNED_IN, "account", user.pk, user.get_username(), actor=user.get_username(), request=request)


def note_sign_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    """Receiver of `user_logged_out`. A database that takes no writes now does not keep anybody in."""
    if user is not None:
        name = user.get_username()
        record_if_possible(Action.SIGNED_OUT, "account", user.pk, name, actor=name, request=request)


def note_failure(name: str, request: HttpRequest, is_last: bool) -> None:
    """A wrong password, and whether it was the last one let in. People type passwords into the field of the user name:
    what is no account's is not told.
    """
    user = User.objects.filter(username=name).first()
    pk, told = (user.pk, name) if user is not None else ("", "(no such account)")
    for action in (Action.FAILED, Action.THROTTLED) if is_last else (Action.FAILED,):
        record_if_possible(action, "account", pk, told, actor="", request=request)


def record_if_possible(*arguments: Any, **options: Any) -> None:
    """A row whose loss must not fail the request."""
    try:
        with transaction.atomic():
            record(*arguments, **options)
    except DatabaseError as error:
        logger.warning("An entry of the audit log was lost: %s", type(error).__name__)


def delete_expired_events() -> int:
    """Delete what is older than AUDIT_DAYS. One statement. Returns how many rows."""
    return AuditEvent.objects.expire(timezone.now() - datetime.timedelta(days=settings.AUDIT_DAYS))
