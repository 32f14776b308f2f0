from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save

from projects.known_keys import known_keys


class ProjectsConfig(AppConfig):
    name = "projects"
    verbose_name = "Projects and keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        for model in (self.get_model("ApiKey"), self.get_model("Project")):
            for signal in (post_save, post_delete):
                signal.connect(known_keys.forget, sender=model)
