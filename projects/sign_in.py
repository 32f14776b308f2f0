"""Signing in, and every other form that asks for a password: how failures are counted, and what people are told."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse_lazy

from projects import audit
from projects.origin import client_address, current_address, current_request
from projects.throttle import throttle

WRONG = (
    "The user name or the password is wrong, or the account is closed. Mind upper and lower case. Forgotten? A "
    "superuser gives you another password under Projects, Accounts; on the server, manage.py changepassword does."
)
NOT_YET = (
    "This account may not sign in yet. An owner of a project makes it a member there (Projects, the project, Members), "
    "or a superuser ticks “May sign in” on the account's page."
)


class SignInForm(AdminAuthenticationForm):
    error_messages = {**AdminAuthenticationForm.error_messages, "invalid_login": WRONG}

    def confirm_login_allowed(self, user: Any) -> None:
        """The password was right, so its owner may know more. Raises ValidationError."""
        if not user.is_staff:
            raise ValidationError(NOT_YET, code="not_yet")


class OwnPasswordForm(AdminPasswordChangeForm):
    """A stolen session must not be a way to guess the password either."""

    def clean_old_password(self) -> str:
        name, address = self.user.get_username(), current_address()
        if seconds := throttle.wait_seconds(name, address):
            raise ValidationError(f"Too many wrong passwords. {come_back(seconds)}", code="throttled")
        try:
            return str(super().clean_old_password())
        except ValidationError:
            is_last = throttle.note_failure(name, address)
            if request := current_request():
                audit.note_failure(name, request, is_last)
            raise


class OwnPasswordView(PasswordChangeView):
    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")


def come_back(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"Try again in {minutes} minute{'' if minutes == 1 else 's'}."


def wait_seconds(request: HttpRequest) -> int:
    """How long this request's sign-in has to wait; 0: its password may be looked at."""
    return throttle.wait_seconds(typed_name(request.POST.get("username")), client_address(request))


def typed_name(name: Any) -> str:
    """The user name as Django's form reads it."""
    return User.normalize_username(str(name or "").strip())


def note_failure(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Receiver of `user_login_failed`."""
    if request is not None:
        name = typed_name(credentials.get("username"))
        audit.note_failure(name, request, throttle.note_failure(name, client_address(request)))


def note_success(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Receiver of `user_logged_in`."""
    throttle.forget(user.get_username(), client_address(request))
