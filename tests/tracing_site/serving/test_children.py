"""Programs that run beside the platform."""

import sys
import time

import pytest

from tracing_site.serving import children


@pytest.fixture
def wait_for():
    def wait(condition):
        deadline = time.monotonic() + 20
        while not (found := condition()):
            assert time.monotonic() < deadline, "gave up waiting"
            time.sleep(0.05)
        return found

    return wait


def test_the_last_words_of_a_program_stay_when_it_starts_again(settings, tmp_path, monkeypatch, wait_for):
    monkeypatch.setattr(children, "RESTART_SECONDS", 0)
    settings.DATA_DIR = tmp_path
    (tmp_path / "brief.log").write_text("of an earlier start\n")
    program = "import os; print('the end of', os.environ['WHOSE'])"
    child = children.Child("brief", [sys.executable, "-c", program], {"WHOSE": "this one"})
    try:
        wait_for(lambda: child.log.read_text().count("the end of this one") >= 2)
        assert "earlier" not in child.log.read_text()
    finally:
        child.stop()
