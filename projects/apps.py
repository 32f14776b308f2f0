from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models.signals import post_delete, post_save, pre_save

from projects.known_keys import known_keys


class ProjectsConfig(AppConfig):
    name = "projects"
    verbose_name = "Projects and keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Once the models are there
        from django.contrib.auth.models import User  # noqa: PLC0415

        from projects import sessions, sign_in  # noqa: PLC0415

        # The menu, the pages and the messages say one word for them.
        User._meta.verbose_name, User._meta.verbose_name_plural = "account", "accounts"
        membership = self.get_model("ProjectMembership")
        user_logged_in.connect(sessions.begin)
        user_logged_in.connect(sign_in.note_success)
        user_login_failed.connect(sign_in.note_failure)
        pre_save.connect(sessions.note_rights, sender=User)
        pre_save.connect(sessions.note_role, sender=membership)
        post_delete.connect(sessions.note_removal, sender=membership)
        for model in (self.get_model("ApiKey"), self.get_model("Project")):
            for signal in (post_save, post_delete):
                signal.connect(known_keys.forget, sender=model)
