"""Who may send and see what: projects, their API keys and their members."""

import datetime
import hashlib
import re
import secrets
from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from projects.audit_models import AuditEvent as AuditEvent
from projects.known_keys import ForgettingQuerySet
from projects.sent_keys import KEY_START

KEY_PREFIX_LENGTH = 12
# As MLflow numbers them; its store keeps them as integers of 64 bits at most.
EXPERIMENT_ID = re.compile(r"\A(?:0|[1-9][0-9]{0,17})\Z")


class Project(models.Model):
    """A tenant: keys, traces and retention belong to exactly one."""

    class MirrorPolicy(models.TextChoices):
        ALL = "all", "every trace"
        NONE = "none", "no trace"
        SAMPLED = "sampled", "a sampled share"
        ERRORS = "errors", "only traces with errors"

    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    mlflow_experiment_id = models.CharField(
        "MLflow experiment id",
        max_length=32,
        blank=True,
        validators=[RegexValidator(EXPERIMENT_ID, "A number, as MLflow shows it.")],
        help_text="Number of the experiment to mirror to; superusers set it. Empty: MLFLOW_DEFAULT_EXPERIMENT_ID.",
    )
    mirror_policy = models.CharField(max_length=10, choices=MirrorPolicy, default=MirrorPolicy.ALL)
    mirror_sample_percent = models.PositiveSmallIntegerField(
        default=100,
        validators=[MaxValueValidator(100)],
        help_text="For the policy “a sampled share”. The same trace is always in or always out.",
    )
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Days after which a trace expires. Empty: DATA_EXPIRATION_IN_DAYS.",
    )
    rate_limit_spans = models.PositiveIntegerField(
        "spans a second", null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: no limit."
    )
    rate_limit_requests = models.PositiveIntegerField(
        "requests a second", null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: no limit."
    )
    conventions_version = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Another number with every change of its mapping rules and prices; 0 without any.",
    )
    daily_quota_spans = models.PositiveBigIntegerField(
        "spans a day (UTC)", null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: no quota."
    )
    daily_quota_bytes = models.PositiveBigIntegerField(
        "bytes a day (UTC), unpacked",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Empty: no quota.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ForgettingQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def effective_retention_days(self) -> int:
        return self.retention_days or settings.DATA_EXPIRATION_IN_DAYS

    @property
    def effective_experiment_id(self) -> str:
        return self.mlflow_experiment_id or settings.MLFLOW_DEFAULT_EXPERIMENT_ID


class DailyUsage(models.Model):
    """What a project has sent on a day (UTC). The web and gRPC processes add to it about once a second."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_constraint=False, related_name="daily_usage")
    day = models.DateField()
    requests = models.PositiveBigIntegerField(default=0)
    spans = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-day"]
        constraints = [models.UniqueConstraint(fields=["project", "day"], name="one_usage_a_day")]

    def __str__(self) -> str:
        return f"{self.project} on {self.day}"


def hash_key(key: str) -> str:
    """SHA-256 of an API key, 64 hex digits. Keys are random, so a slow password hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyManager(models.Manager.from_queryset(ForgettingQuerySet)):  # type: ignore[misc]
    def lookup(self, key: str) -> "ApiKey | None":
        """The usable key with this text, its project loaded, or None. One query."""
        return next((row for row in self.with_texts([key]) if row.is_usable), None)

    def with_texts(self, texts: Sequence[str]) -> "list[ApiKey]":
        """The keys with these texts, in their order, usable or not, their projects loaded. One query, of hashes.

        Raw, because this query comes with every export, and building it from expressions costs four times as much.
        """
        fields = [field for field in Project._meta.concrete_fields if not isinstance(field, models.DateTimeField)]
        names = [field.attname for field in fields]
        columns = ", ".join(f"project.{field.column} AS project__{field.attname}" for field in fields)
        hashes = [hash_key(text) for text in texts]
        found = self.raw(
            f"SELECT key.*, {columns} FROM {ApiKey._meta.db_table} key "  # noqa: S608
            f"JOIN {Project._meta.db_table} project ON project.id = key.project_id "
            f"WHERE key.key_hash IN ({', '.join(['%s'] * len(hashes))})",
            hashes,
        )
        rows: list[ApiKey] = []
        for row in found:
            row.project = Project.from_db(self.db, names, [row.__dict__.pop(f"project__{name}") for name in names])
            rows.append(row)
        return sorted(rows, key=lambda row: hashes.index(row.key_hash))

    def issue(self, project: Project, name: str, key: str | None = None, **fields: object) -> tuple["ApiKey", str]:
        """Make a key and return it with its text, which is not stored and can't be shown again."""
        text = key or KEY_START + secrets.token_urlsafe(32)
        row = self.create(
            project=project,
            name=name,
            prefix=text[:KEY_PREFIX_LENGTH] if key is None else text[:2],
            key_hash=hash_key(text),
            **fields,
        )
        return row, text


class ApiKey(models.Model):
    """A credential of one project. Only its hash is kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=KEY_PREFIX_LENGTH, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    can_ingest = models.BooleanField(default=True, help_text="May send spans.")
    can_read = models.BooleanField(default=True, help_text="May read traces over the API.")
    can_write = models.BooleanField(default=True, help_text="May delete traces over the API.")
    can_audit = models.BooleanField(
        default=False, db_default=False, help_text="May read the project's audit log over the API."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyManager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def touch(self) -> None:
        """Note the use, at most once a minute."""
        now = timezone.now()
        if self.last_used_at is None or now - self.last_used_at > datetime.timedelta(minutes=1):
            self.last_used_at = now
            ApiKey.objects.filter(pk=self.pk).update(last_used_at=now)


class ProjectMembership(models.Model):
    """What an admin user may do in a project. Superusers may do everything."""

    class Role(models.TextChoices):
        VIEWER = "viewer", "viewer: sees traces"
        EDITOR = "editor", "editor: sees and deletes traces, mirrors again"
        OWNER = "owner", "owner: also keys, members and settings"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="project_memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_membership_a_user")]

    def __str__(self) -> str:
        return f"{self.user} in {self.project} ({self.role})"


class SignInStamp(models.Model):
    """Changes when a right is taken from the account: sessions that began before are over (`projects.sessions`)."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="sign_in_stamp"
    )
    value = models.CharField(max_length=16)

    def __str__(self) -> str:
        return self.value


class RetentionRule(models.Model):
    """Keeps a project's traces that meet all its conditions for longer than the project's own retention.

    Of several rules that apply the longest counts; `traces.upkeep.retention` turns them into queries.
    """

    class Status(models.TextChoices):
        ANY = "", "any"
        ERROR = "ERROR", "failed"
        OK = "OK", "succeeded"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="retention_rules")
    keep_days = models.PositiveIntegerField(
        validators=[MinValueValidator(1)], help_text="Days from a trace's arrival. Fewer than the project's: no effect."
    )
    status = models.CharField(max_length=5, choices=Status, default=Status.ANY, blank=True)
    min_error_count = models.PositiveIntegerField("spans with errors, at least", null=True, blank=True)
    min_duration_ms = models.PositiveBigIntegerField("duration in ms, at least", null=True, blank=True)
    min_cost_usd = models.DecimalField("cost in USD, at least", max_digits=20, decimal_places=10, null=True, blank=True)
    service_name = models.CharField("service", max_length=500, blank=True)
    session_id = models.CharField("session", max_length=500, blank=True)
    user_id = models.CharField("user", max_length=500, blank=True)

    class Meta:
        ordering = ["project", "-keep_days", "pk"]

    def __str__(self) -> str:
        return f"{', '.join(self.conditions())}: {self.keep_days} days"

    def conditions(self) -> list[str]:
        """The conditions that are set, for people."""
        found = [self.get_status_display()] if self.status else []
        if self.min_error_count is not None:
            found.append(f"errors ≥ {self.min_error_count}")
        if self.min_duration_ms is not None:
            found.append(f"duration ≥ {self.min_duration_ms} ms")
        if self.min_cost_usd is not None:
            found.append(f"cost ≥ ${self.min_cost_usd.normalize():f}")
        named = (("service", self.service_name), ("session", self.session_id), ("user", self.user_id))
        return found + [f"{name} {value}" for name, value in named if value]

    def clean(self) -> None:
        if not self.conditions():
            raise ValidationError("Name at least one condition. For every trace, change the project's retention.")
