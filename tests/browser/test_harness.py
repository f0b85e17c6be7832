"""The browser and the accessibility check work: otherwise "no findings" would mean nothing."""

import pytest

pytestmark = pytest.mark.browser


def test_axe_finds_a_planted_violation(page, axe):
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><img src='data:,'></main></html>")
    assert any("image-alt" in finding for finding in axe(page))


def test_axe_passes_a_sound_page(page, axe):
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><p>text</p></main></html>")
    assert axe(page) == []
