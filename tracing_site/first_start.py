"""What a new installation needs before anybody can use it: tables, a first account, a first project with a key."""

import secrets
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
    """What was made; both texts are known only now, because the database keeps hashes."""

    new_password: str | None
    new_key: str | None


def prepare() -> FirstStart:
    """Migrate and make what is missing. Every later call with the same settings changes nothing.

    Raises CommandError where the database can't be used.
    """
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        raise CommandError(f"The database can't be used, see DATABASE_URL: {error}") from error
    project, _ = Project.objects.get_or_create(slug="default", defaults={"name": "Default"})
    return FirstStart(new_password=ensure_admin(), new_key=ensure_key(project))


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
    """
    if settings.AUTH_KEY:
        key_hash = hash_key(settings.AUTH_KEY)
        earlier = ApiKey.objects.filter(project=project, name=AUTH_KEY_NAME)
        earlier.filter(revoked_at=None).exclude(key_hash=key_hash).update(revoked_at=timezone.now())
        if not earlier.filter(key_hash=key_hash).update(revoked_at=None):
            ApiKey.objects.issue(project, AUTH_KEY_NAME, key=settings.AUTH_KEY)
        return None
    if project.api_keys.exists():
        return None
    return ApiKey.objects.issue(project, "First key")[1]
