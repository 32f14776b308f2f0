"""The members of a project, on its page: added by user name, so that an owner sees no account that is no member."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from projects.models import ProjectMembership
from projects.roles import Role, may


class AccountField(forms.CharField):
    """The account with the typed user name."""

    def __init__(self) -> None:
        attributes = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        super().__init__(label="User name", max_length=150, widget=forms.TextInput(attrs=attributes))

    def clean(self, value: Any) -> User:
        name = super().clean(value)
        user = User.objects.filter(username=name).first()
        if user is None:
            raise ValidationError("No account has this user name. A superuser makes accounts.", code="unknown")
        return user


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whose membership it is stays as it is; the role may change."""

    user = AccountField()

    class Meta:
        model = ProjectMembership
        fields = ("user", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["user"] = self.instance.user.get_username()
            self.fields["user"].disabled = True

    def clean(self) -> dict[str, Any] | None:
        """A member who joined since the page was opened; Django compares only the rows of the page."""
        values = super().clean()
        project, user = self.cleaned_data.get("project"), self.cleaned_data.get("user")
        members = ProjectMembership.objects.filter(project=getattr(project, "pk", None), user=user)
        if self.instance.pk is None and user is not None and members.exists():
            self.add_error("user", "Is a member already.")
        return values


class MemberInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ProjectMembership
    form = MemberForm
    extra = 0
    verbose_name = "member"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("user").order_by("user__username")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Role.OWNER, obj and obj.pk)

    has_add_permission = has_view_permission
    has_change_permission = has_view_permission
    has_delete_permission = has_view_permission


def let_in(users: Iterable[User]) -> list[str]:
    """Give these new members the staff flag, which lets them sign in and gives no rights by itself; their names.

    Only new ones: whoever lost the flag afterwards keeps it lost.
    """
    names = []
    for user in users:
        if not user.is_staff:
            user.is_staff = True
            user.save(update_fields=["is_staff"])
            names.append(user.get_username())
    return names
