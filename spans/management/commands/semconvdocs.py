"""Write docs/semantic-conventions.md from the tables."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from spans.semconv.reference import render


class Command(BaseCommand):
    help = "Write docs/semantic-conventions.md from the tables of spans/semconv."

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "semantic-conventions.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(render(), encoding="utf-8")
        self.stdout.write(f"Wrote {path}")
