"""Spreading the tables over a Citus cluster."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from tracing_site.distribution import distributed_tables, missing_extension, setting_statement, statements


class Command(BaseCommand):
    help = (
        "Spread the tables over the machines of a Citus cluster: traces with their spans and mirror states by the "
        "trace's key, receipts by theirs, projects and keys as copies everywhere. Run it once after `migrate`; what is "
        "spread already is left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print the statements, for any database")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            for statement in [setting_statement(), *statements().values()]:
                self.stdout.write(f"{statement};")
            return
        if problem := missing_extension():
            raise CommandError(problem)
        done = distributed_tables()
        with connection.cursor() as cursor:
            cursor.execute(setting_statement())
            for table, statement in statements().items():
                if table not in done:
                    cursor.execute(statement)
                    self.stdout.write(f"{table}: distributed")
        self.stdout.write("All tables are distributed. Restart processes that were running.")
