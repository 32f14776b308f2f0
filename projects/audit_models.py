"""The audit log's table: rows are added, and expire after AUDIT_DAYS; nothing changes one."""

import datetime
import uuid
from typing import Any

from django.db import models


class AppendOnly(TypeError):
    """Somebody wanted to change the audit log."""


class AuditQuerySet(models.QuerySet[Any]):
    def update(self, **values: Any) -> int:
        raise AppendOnly("the audit log is only added to")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnly("rows of the audit log expire after AUDIT_DAYS, and by nothing else")

    def expire(self, before: datetime.datetime) -> int:
        """Delete what was written before. One statement. Returns how many rows."""
        return int(self.filter(created_at__lt=before)._raw_delete(self.db))


class AuditEvent(models.Model):
    """Who did what to what, from where. It stands alone: accounts, projects and what was changed may be gone."""

    class Action(models.TextChoices):
        SIGNED_IN = "signed_in", "signed in"
        SIGNED_OUT = "signed_out", "signed out"
        FAILED = "sign_in_failed", "sign-in failed"
        THROTTLED = "sign_in_throttled", "sign-ins throttled"
        CREATED = "created", "created"
        CHANGED = "changed", "changed"
        DELETED = "deleted", "deleted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField("when", auto_now_add=True)
    action = models.CharField(max_length=20, choices=Action)
    actor = models.CharField("who", max_length=150, blank=True)
    address = models.CharField("from", max_length=45, blank=True)
    request_id = models.CharField(max_length=128, blank=True)
    project = models.ForeignKey(
        "projects.Project",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    project_slug = models.CharField("project", max_length=100, blank=True)
    object_type = models.CharField("what", max_length=50)
    object_id = models.CharField(max_length=40, blank=True)
    object_name = models.CharField("name", max_length=200, blank=True)
    changes = models.JSONField(default=dict)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "audit log entry"
        verbose_name_plural = "audit log"
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="audit_newest"),
            models.Index(fields=["project", "-created_at", "-id"], name="audit_of_project"),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.get_action_display(), self.object_type, self.object_name)))

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("the audit log is only added to")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnly("rows of the audit log expire after AUDIT_DAYS, and by nothing else")

    def as_json(self) -> dict[str, Any]:
        """What the API, `auditlog` and the log stream say of it."""
        return {
            "id": str(self.pk),
            "created_at": self.created_at.isoformat(),
            "action": self.action,
            "actor": self.actor,
            "address": self.address,
            "request_id": self.request_id,
            "project": self.project_slug or None,
            "object_type": self.object_type,
            "object_id": self.object_id,
            "object_name": self.object_name,
            "changes": self.changes,
        }
