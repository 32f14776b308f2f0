"""The admin's colours can be told from what they stand on (WCAG 2.2, 1.4.3: 4.5 to 1)."""

import re

import pytest
from django.conf import settings

CSS = (settings.BASE_DIR / "tracing_site/static/tracing_site/tokens.css").read_text()
THEMES = ("light", "dark")
SURFACES = ("--page", "--surface", "--raised", "--hover", "--chosen")
INKS = ("--ink", "--ink-quiet", "--ink-faint", "--act", "--ok", "--bad", "--warn")
PAIRS = (("--act-ink", "--act"), ("--bad", "--bad-bg"), ("--warn", "--warn-bg"), ("--ink", "--act-soft"))


def colours(theme):
    pairs = re.findall(r"(--[\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS)
    return {name: (light, dark)[THEMES.index(theme)] for name, light, dark in pairs}


def channels(colour):
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (channel / 255 for channel in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(ink, paper):
    darker, lighter = sorted((luminance(ink), luminance(paper)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_every_ink_is_readable_on_every_surface(theme):
    named = colours(theme)
    for name in INKS:
        for surface in SURFACES:
            assert contrast(channels(named[name]), channels(named[surface])) >= 4.5, (theme, name, surface)
    for ink, paper in PAIRS:
        assert contrast(channels(named[ink]), channels(named[paper])) >= 4.5, (theme, ink, paper)


@pytest.mark.parametrize("theme", THEMES)
def test_chips_are_readable_on_every_surface(theme):
    named = colours(theme)
    chips = [name for name in named if name.startswith("--t-")]
    assert len(chips) == 9
    for name in (*chips, "--ok", "--bad"):
        ink = channels(named[name])
        for surface in ("--surface", "--raised", "--chosen"):
            paper = [0.13 * own + 0.87 * below for own, below in zip(ink, channels(named[surface]), strict=True)]
            assert contrast(ink, paper) >= 4.5, (theme, name, surface)
