"""What a new installation needs before anybody can use it: tables, a first account, a first project with a key."""

import contextlib
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from projects.models import ApiKey, Project, hash_key

ADMIN_NAME = "admin"
AUTH_KEY_NAME = "AUTH_KEY"


@dataclass
class FirstStart:
    """What was made; both texts are known only now, because the database keeps hashes. AUTH_KEY is known to whoever set
    it, and shown once, too, to a terminal that may be a log.
    """

    new_password: str | None
    new_key: str | None
    auth_key_is_new: bool = False


def prepare() -> FirstStart:
    """Migrate and make what is missing. Every later call with the same settings changes nothing.

    Raises CommandError where the database can't be used.
    """
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        raise CommandError(f"The database can't be used, see DATABASE_URL: {error}") from error
    with quiet_audit():
        project, _ = Project.objects.get_or_create(slug="default", defaults={"name": "Default"})
        has_key = project.api_keys.exists()
        new_key = ensure_key(project)
        return FirstStart(ensure_admin(), new_key, auth_key_is_new=bool(settings.AUTH_KEY) and not has_key)


@contextlib.contextmanager
def quiet_audit() -> Iterator[None]:
    """What is made here stands in the audit log; a person at a terminal is told of it in other words."""
    logger = logging.getLogger("projects.audit")
    before = logger.level
    if settings.LOG_FORMAT == "text":
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def ensure_admin() -> str | None:
    """The password of the account made because there was no superuser, or None."""
    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser(ADMIN_NAME, password=password)
    return password


def ensure_key(project: Project) -> str | None:
    """The text of a key made because the project had none, or None.

    With AUTH_KEY set, its text is a valid key of the project, and the texts that AUTH_KEY had before are revoked.
    Raises CommandError where another project has a key with this text.
    """
    if settings.AUTH_KEY:
        make_valid(project, settings.AUTH_KEY)
        return None
    if project.api_keys.exists():
        return None
    return ApiKey.objects.issue(project, "First key")[1]


def make_valid(project: Project, text: str) -> None:
    """Make AUTH_KEY's text a key of the project with every scope, also where it was made as an ordinary one."""
    key_hash = hash_key(text)
    there = ApiKey.objects.filter(key_hash=key_hash).select_related("project").first()
    if there is not None and there.project_id != project.pk:
        raise CommandError(f"AUTH_KEY is a key of the project {there.project.slug}: choose another text.")
    earlier = ApiKey.objects.filter(project=project, name=AUTH_KEY_NAME, revoked_at=None)
    for key in earlier.exclude(key_hash=key_hash):
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
    if there is None:
        ApiKey.objects.issue(project, AUTH_KEY_NAME, key=text)
    else:
        every_scope = {"can_ingest": True, "can_read": True, "can_write": True}
        ApiKey.objects.filter(pk=there.pk).update(name=AUTH_KEY_NAME, revoked_at=None, expires_at=None, **every_scope)
