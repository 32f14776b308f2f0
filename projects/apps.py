from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_delete, post_save, pre_save

from projects.known_keys import known_keys


class ProjectsConfig(AppConfig):
    name = "projects"
    verbose_name = "Projects and keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Once the models are there
        from django.contrib.auth.models import User  # noqa: PLC0415

        from projects import audit, sessions, sign_in  # noqa: PLC0415

        # The menu, the pages and the messages say one word for them.
        User._meta.verbose_name, User._meta.verbose_name_plural = "account", "accounts"
        membership = self.get_model("ProjectMembership")
        user_logged_in.connect(sessions.begin)
        user_logged_in.connect(sign_in.note_success)
        user_login_failed.connect(sign_in.note_failure)
        user_logged_in.connect(audit.note_sign_in)
        user_logged_out.connect(audit.note_sign_out)
        pre_save.connect(sessions.note_rights, sender=User)
        pre_save.connect(sessions.note_role, sender=membership)
        post_delete.connect(sessions.note_removal, sender=membership)
        self.watch(audit, User)
        for model in (self.get_model("ApiKey"), self.get_model("Project")):
            for signal in (post_save, post_delete):
                signal.connect(known_keys.forget, sender=model)

    def watch(self, audit: Any, accounts: Any) -> None:
        """What the audit log tells of this app."""

        def member(membership: Any) -> str:
            """By look-up, because the account or the project may be going at this moment."""
            names = accounts.objects.filter(pk=membership.user_id).values_list("username", flat=True)
            return names.first() or ""

        audit.watch(accounts, ignored=("last_login", "date_joined"), secret=("password",))
        audit.watch(self.get_model("Project"))
        audit.watch(self.get_model("ProjectMembership"), name=member)
        audit.watch(self.get_model("ApiKey"), name=lambda key: key.name)
        # End users' ids may have to be erased; the log would go on naming them.
        rules = self.get_model("RetentionRule")
        audit.watch(rules, name=lambda rule: f"{rule.keep_days} days", secret=("user_id", "session_id"))
