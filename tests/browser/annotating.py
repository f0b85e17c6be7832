"""What the tests of the annotation page share: a project with work in it, and hands on the keyboard."""

from typing import Any

from playwright.sync_api import Page

STEPS = ("3 * 12 = 36", "24 + 36 = 50", "50 - 15 = 35", "Answer: 35")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def cursor_at(page: Page, step: int) -> Any:
    """The card the cursor is on, when it is that of ``step`` (from 0)."""
    return page.locator(f".step-card[aria-current=step][data-step='{step}']")
