"""Files of others that the pages use: what the locked packages hold, each with its licence."""

import hashlib
import json

from django.conf import settings

VENDOR = settings.BASE_DIR / "tracing_site/static/vendor"


def test_vendored_files_are_those_that_were_vendored():
    known = dict(reversed(line.split("  ")) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    found = {str(path.relative_to(VENDOR)): path for path in VENDOR.glob("*/*")}
    assert known == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def test_each_has_its_licence_and_a_locked_version():
    packages = json.loads((settings.BASE_DIR / "package.json").read_text())["dependencies"]
    locked = json.loads((settings.BASE_DIR / "package-lock.json").read_text())["packages"]
    for folder in filter(lambda path: path.is_dir(), VENDOR.iterdir()):
        assert (folder / "LICENSE").read_text().strip()
        name = f"@fontsource-variable/{folder.name}"
        assert locked[f"node_modules/{name}"]["version"] == packages[name]
        assert locked[f"node_modules/{name}"]["integrity"].startswith("sha512-")


def test_no_lock_names_a_registry():
    assert "resolved" not in (settings.BASE_DIR / "package-lock.json").read_text()
