"""What a logged-in user may do, by project membership. Superusers may do everything in every project."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from projects.models import Project, ProjectMembership

Role = ProjectMembership.Role
User = AbstractBaseUser | AnonymousUser
_RANKS = {Role.VIEWER: 1, Role.EDITOR: 2, Role.OWNER: 3}
_CACHE = "_project_ranks"


def _ranks(user: User) -> dict[int, int]:
    """The user's rank by project id. One query, then remembered on the user object, which lives for one request."""
    ranks: dict[int, int] | None = getattr(user, _CACHE, None)
    if ranks is None:
        if not (user.is_authenticated and user.is_active):
            ranks = {}
        elif getattr(user, "is_superuser", False):
            ranks = dict.fromkeys(Project.objects.order_by("slug").values_list("pk", flat=True), _RANKS[Role.OWNER])
        else:
            memberships = ProjectMembership.objects.filter(user_id=user.pk).order_by("project__slug")
            ranks = {project: _RANKS[Role(role)] for project, role in memberships.values_list("project", "role")}
        setattr(user, _CACHE, ranks)
    return ranks


def project_ids(user: User, at_least: Role = Role.VIEWER) -> list[int]:
    """Ids of the projects in which the user has the role or a higher one, by slug."""
    return [project for project, rank in _ranks(user).items() if rank >= _RANKS[at_least]]


def may(user: User, at_least: Role, project_id: int | None = None) -> bool:
    """Whether the user has the role in the project; without one, whether in any. A superuser always may."""
    if getattr(user, "is_superuser", False) and user.is_active:
        return True
    ranks = _ranks(user)
    return any(
        rank >= _RANKS[at_least] for project, rank in ranks.items() if project_id is None or project == project_id
    )
