"""Accounts in the admin, for superusers."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import (
    ReadOnlyPasswordHashField,
    ReadOnlyPasswordHashWidget,
    UserChangeForm,
    UserCreationForm,
)
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest

from projects.declared_lists import DeclaredListAdmin
from projects.models import ProjectMembership
from projects.moments import moment_column


class PasswordState(ReadOnlyPasswordHashWidget):
    """Whether there is a password, and the way to another one; nothing of its hash."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        is_set = any("value" in entry for entry in context["summary"])
        context["summary"] = [{"label": "Set." if is_set else "None, so nobody can sign in with this account."}]
        return context


class AccountForm(UserChangeForm):  # type: ignore[type-arg]
    password = ReadOnlyPasswordHashField(widget=PasswordState)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
        self.fields[
            "is_active"
        ].help_text = "Without it, the account can't be used: no sign-in, no API. Better than deleting."
        self.fields["is_staff"].label = "May sign in"
        self.fields[
            "is_staff"
        ].help_text = (
            "To these pages, and to the API from a browser. An owner who adds the account to a project sets it, too."
        )
        self.fields["is_superuser"].label = "Superuser"
        self.fields["is_superuser"].help_text = "May do everything in every project, and manages accounts."


class AccountMembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    """An account's memberships, on a page that only superusers reach."""

    model = ProjectMembership
    extra = 0
    verbose_name = "project membership"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    has_add_permission = has_view_permission
    has_change_permission = has_view_permission
    has_delete_permission = has_view_permission


# Rights come from memberships, so groups would only promise what they don't give.
admin.site.unregister([User, Group])


@admin.register(User)
class AccountAdmin(DeclaredListAdmin, UserAdmin):  # type: ignore[type-arg]
    """Accounts, with their memberships; superusers only."""

    purpose = "People who may sign in here. What they see comes from their memberships in projects."
    form = AccountForm
    add_form = UserCreationForm
    list_display = (
        "username",
        "email",
        "is_active",
        "may_sign_in",
        "is_superuser",
        moment_column("last_login", "Last sign-in"),
    )
    list_filter = ("is_active", "is_staff", "is_superuser")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "description": "The account may sign in at once, and sees a project when it is made a member of it.",
                "fields": ("username", "password1", "password2"),
            },
        ),
    )
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    inlines = (AccountMembershipInline,)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else self.inlines

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Accounts are for people who sign in here."""
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)

    @admin.display(description="May sign in", boolean=True, ordering="is_staff")
    def may_sign_in(self, user: User) -> bool:
        return user.is_active and user.is_staff

    def _is_superuser(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    has_module_permission = _is_superuser
    has_view_permission = _is_superuser
    has_add_permission = _is_superuser
    has_change_permission = _is_superuser
    has_delete_permission = _is_superuser
