"""What the web app takes from the Python side is what the Python side says now."""

from __future__ import annotations

import re

import pytest

from backfill.states import BoxStatus
from backfill.web import build, generate


def test_states_and_looks_are_as_they_were_generated() -> None:
    hint = "run make web-types"
    assert generate.STATES.read_text() == generate.states_module(), hint
    assert generate.COLOURS.read_text() == generate.colours(), hint


def test_every_box_has_a_colour_or_edge_and_a_sign_of_its_own() -> None:
    looks = [generate.LOOKS[status.value] for status in BoxStatus]
    assert len({(look.sign, look.fill is None, look.dashed) for look in looks}) == len(looks)
    for theme in (0, 1):
        assert len({(look.fill or look.ink)[theme] for look in looks}) >= len(looks) - 1


@pytest.mark.parametrize("name", sorted(generate.LOOKS))
def test_a_sign_is_seen_on_its_box_and_the_box_on_its_page(name: str) -> None:
    look = generate.LOOKS[name]
    for theme, page in enumerate(("#ffffff", "#161b22")):
        ground = look.fill[theme] if look.fill else page
        assert contrast(look.ink[theme], ground) >= 3, (name, theme, "sign")
        if look.fill and name != "skipped":  # its sign has the contrast that its box lacks
            assert contrast(ground, page) >= 3, (name, theme, "box")


def test_the_built_app_is_told_from_its_sources_by_their_digest() -> None:
    files = list(build.sources())
    assert all(file.exists() for file in files)
    assert not any(file.name.endswith(".test.ts") for file in files)
    assert re.fullmatch("[0-9a-f]{64}", build.digest(files))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours as WCAG counts it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
