"""A person's own settings in the browser: on the first byte, everywhere, accessible at every size of type."""

import pytest
from playwright.sync_api import expect

from tests import factories as make
from webapp.accounts.services import comfort_save

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def me(signed_in):
    me = make.user_make()
    signed_in(me)
    return me


@pytest.mark.parametrize(("theme", "width", "font"), [("light", 1280, "m"), ("dark", 390, "xl")])
def test_the_page_is_accessible(page, live_server, me, axe, theme, width, font):
    comfort_save(user=me, changes={"theme": theme, "font": font})
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{live_server.url}/settings/")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scripts", [True, False])
def test_theme_size_and_motion_are_there_before_any_script(browser, live_server, me, signed_in, scripts):
    comfort_save(user=me, changes={"theme": "dark", "font": "xl", "motion": "reduced"})
    context = browser.new_context(java_script_enabled=scripts, color_scheme="light")
    signed_in(me, context)
    page = context.new_page()
    page.goto(f"{live_server.url}/settings/")
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "dark")
    expect(html).to_have_css("font-size", "21px")
    expect(html).to_have_css("color-scheme", "dark")
    expect(page.locator("progress, .icon-button").first).to_have_css("transition-property", "none")
    context.close()


def test_the_toggle_is_kept_by_the_account(page, live_server, me):
    page.goto(f"{live_server.url}/settings/")
    with page.expect_response("**/api/me/settings") as reply:
        page.locator("[data-theme-toggle]").press("Enter")
    assert reply.value.status == 200
    me.refresh_from_db()
    assert me.settings == {"theme": "light"}
    page.evaluate("localStorage.clear()")  # another browser
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_a_theme_chosen_while_the_server_was_away_is_sent_with_the_next_page(page, live_server, me):
    page.goto(f"{live_server.url}/settings/")
    page.route("**/api/me/settings", lambda route: route.abort(), times=1)
    page.locator("[data-theme-toggle]").press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    with page.expect_response("**/api/me/settings"):
        page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    me.refresh_from_db()
    assert me.settings == {"theme": "light"}


def test_scripts_speak_the_language_of_the_page(page, live_server, me):
    """The English text is the key; a text without a translation, and holes without a value, stay."""
    page.goto(f"{live_server.url}/settings/")
    said = page.evaluate(
        """async () => {
          const texts = document.createElement("script");
          Object.assign(texts, { type: "application/json", id: "script-texts", textContent: '{"Step {n}": "Schritt {n}"}' });
          document.getElementById("script-texts")?.remove();
          document.body.append(texts);
          const { t } = await import("/static/base/i18n.js?fresh");
          return [t("Step {n}", { n: 3 }), t("Next {n} of {all}", { n: 1 }), t("Step {n}", { n: "{n}" })];
        }"""  # noqa: E501
    )
    assert said == ["Schritt 3", "Next 1 of {all}", "Schritt {n}"]
