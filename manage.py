#!/usr/bin/env python
"""Django's command-line entry point."""

import os
import sys

from django.core.management import execute_from_command_line

from tracing_site.process import prepare_process


def main() -> None:
    prepare_process("".join(sys.argv[1:2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing_site.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
