"""manage.py prepare: make a new database usable, and an existing one up to date."""

from typing import Any

from django.core.management.base import BaseCommand

from tracing_site.serving.first_start import ADMIN_NAME, prepare


class Command(BaseCommand):
    help = (
        "Migrate the database and make what a new one lacks: an account, the project “default” and its key (AUTH_KEY, "
        "or a random one). Run it before the other processes of a new version start. Repeating it changes nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        made = prepare()
        if made.new_password:
            self.stdout.write(f"Account {ADMIN_NAME}, password {made.new_password} (shown only now)")
        if made.new_key:
            self.stdout.write(f"API key {made.new_key} (shown only now)")
        self.stdout.write("The database is ready.")
