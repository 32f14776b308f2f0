"""The admin's colours can be told from what they stand on (WCAG 2.2, 1.4.3: 4.5 to 1)."""

import re

import pytest
from django.conf import settings

CSS = (settings.BASE_DIR / "tracing_site/static/tracing_site/admin.css").read_text()
PAGES = {"light": "#ffffff", "dark": "#121212"}  # Django's --body-bg
SURFACES = ("--raised", "--chosen", "--bad-bg")


def colours(theme):
    block = re.search(rf'html\[data-theme="{theme}"\] {{(.*?)}}', CSS, re.DOTALL)[1]
    return dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})\b", block)) | {"--body-bg": PAGES[theme]}


def channels(colour):
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (channel / 255 for channel in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", PAGES)
def test_chips_and_states_are_readable_on_every_surface(theme):
    named = colours(theme)
    for name in [name for name in named if name.startswith("--t-") or name in {"--ok", "--bad"}]:
        ink = channels(named[name])
        for surface in ("--body-bg", *SURFACES):
            paper = [0.13 * own + 0.87 * below for own, below in zip(ink, channels(named[surface]), strict=True)]
            darker, lighter = sorted((luminance(ink), luminance(paper)))
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (theme, name, surface)
