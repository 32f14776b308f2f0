"""What is installed: pinned, hashed, from no index in particular, and under licences that we may pass on."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.servers import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ; (.+?))? \\$", re.M)
# Licences that ask for no more than a notice, and those of libraries that we use unchanged (LGPL, MPL)
LICENCES = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|HPND|Zlib|CC0|Unlicense|0BSD|MPL|Mozilla Public|LGPL|"
    r"Lesser General Public",
    re.I,
)
# Whose metadata name no licence; read in the files that they bring.
BY_HAND = {"huey": "MIT", "skops": "MIT"}


def pins(lock: str) -> dict[str, list[tuple[str, str]]]:
    """Versions and markers by package name; a package may have several, for several Pythons."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, version, marker in PIN.findall((ROOT / lock).read_text()):
        found.setdefault(canonicalize_name(name), []).append((version, marker))
    return found


def declared() -> dict[str, list[Requirement]]:
    """The requirements of pyproject.toml by the lock that they are in."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [*project["optional-dependencies"]["dev"], *project["optional-dependencies"]["otel"]]
    runtime = [Requirement(text) for text in project["dependencies"]]
    return dict(zip(LOCKS, (runtime, runtime + [Requirement(text) for text in extras]), strict=True))


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_fits_pyproject(lock):
    locked = pins(lock)
    stale = [
        str(requirement)
        for requirement in declared()[lock]
        if not any(
            requirement.specifier.contains(Version(version))
            for version, _ in locked.get(canonicalize_name(requirement.name), [])
        )
    ]
    assert stale == [], "run make lock"


def test_both_locks_agree():
    runtime, developing = (
        {name: {version for version, _marker in found} for name, found in pins(lock).items()} for lock in LOCKS
    )
    assert {name: versions for name, versions in runtime.items() if developing.get(name) != versions} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_none_names_an_index(lock):
    text = (ROOT / lock).read_text()
    entries = re.split(r"^(?=\S)", text, flags=re.M)
    assert len(entries) > 100
    assert [entry.splitlines()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []
    assert not re.search(r"https?:|--index|--extra-index|--find-links|file:| @ ", text)


def test_what_is_installed_has_no_licence_that_nobody_looked_at():
    unexpected, looked_at = {}, 0
    for name in pins("requirements.lock"):
        try:
            metadata = distribution(name).metadata
        except PackageNotFoundError:
            continue  # for another Python or platform
        looked_at += 1
        said = metadata.get("License-Expression") or ""
        classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
        said = BY_HAND.get(name) or said or "; ".join(classifiers) or (metadata.get("License") or "")[:200]
        if not LICENCES.search(said):
            unexpected[name] = said
    assert looked_at > 80
    assert unexpected == {}


def test_the_image_gets_no_secret_no_database_and_no_build():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".env", ".env.*", "build", "**/*.sqlite3*", "data", ".git"} <= set(ignored)


def test_image_and_make_install_from_the_locks():
    dockerfile, makefile = (ROOT / "Dockerfile").read_text(), (ROOT / "Makefile").read_text()
    assert "pip install --require-hashes -r requirements.lock" in dockerfile
    assert "pip install ." not in dockerfile
    assert "--require-hashes" in makefile
    assert re.findall(r"\$\(PIP_INSTALL\) -r (\S+)", makefile) == list(LOCKS)
    assert re.findall(r"^FROM (\S+)", dockerfile, re.M) == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
