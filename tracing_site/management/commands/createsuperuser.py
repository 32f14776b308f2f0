"""Django's command, which with --noinput takes any password."""

import os
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        # The variables are Django's own: https://docs.djangoproject.com/en/5.2/ref/django-admin/#createsuperuser
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
        if not options["interactive"] and password is not None:
            named = {
                name: options.get(name) or os.environ.get(f"DJANGO_SUPERUSER_{name.upper()}", "")
                for name in (User.USERNAME_FIELD, *User.REQUIRED_FIELDS)
            }
            try:
                validate_password(password, User(**named))
            except ValidationError as error:
                raise CommandError(f"DJANGO_SUPERUSER_PASSWORD: {' '.join(error.messages)}") from None
        return super().handle(*args, **options)
