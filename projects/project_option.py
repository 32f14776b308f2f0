"""The project that a management command is told by its slug."""

from django.core.management.base import CommandError

from projects.models import Project


def find_project(slug: str) -> Project:
    """Raises CommandError, which names the projects that there are."""
    try:
        return Project.objects.get(slug=slug)
    except Project.DoesNotExist:
        known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no project {slug!r}. Projects: {known}.") from None
