"""python -m tests.clients [SLUG …]: run the pages of docs/clients as printed, see `run.py`."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing_site.settings")

from tests.clients.recipes import RECIPES
from tests.clients.run import WrongTrace, run_guide
from tests.clients.stub import model_server
from tests.servers import site, temporary_directory
from tracing_site.client_guides import guides


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slugs", nargs="*", metavar="SLUG")
    parser.add_argument("--keep", type=Path, help="keep the folders of the runs here, with the traces that are wrong")
    options = parser.parse_args()
    if unknown := set(options.slugs) - set(guides()):
        parser.error(f"no page for {', '.join(sorted(unknown))}; there are {', '.join(guides())}")
    failed = 0
    with site(AUTH_KEY="llmt_" + "t" * 43) as platform, model_server() as model_url:
        for slug in options.slugs or guides():
            if reason := RECIPES[slug].cannot_run:
                print(f"{slug:22} not run: {reason}", flush=True)
                continue
            with temporary_directory() as temporary:
                folder = (options.keep or temporary) / slug
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                try:
                    print(f"{slug:22} {run_guide(guides()[slug], platform, model_url, folder)}", flush=True)
                except (WrongTrace, subprocess.SubprocessError) as error:
                    failed += 1
                    print(f"{slug:22} WRONG: {error}", flush=True)
    return 1 if failed else 0


sys.exit(main())
