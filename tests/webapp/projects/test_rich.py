"""Text of models and people as HTML: harmless whatever they write, and true to what they wrote."""

import re
import time
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.projects.rich import marked_up, rich


class Seen(HTMLParser):
    """Every tag and attribute of a piece of HTML, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.words = set(), set(), []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= set(attrs)

    def handle_data(self, data):
        self.words.append(data)


PIECES = st.sampled_from(
    [
        "<script>",
        "</script>",
        "<img src=x onerror=alert(1)>",
        "javascript:",
        "[a](",
        ")",
        "<a href='",
        "style=",
        "$",
        "$$",
        "\\(",
        "\\)",
        "\\[",
        "\\]",
        "`",
        "```html\n",
        "\n",
        "\n\n",
        "**",
        "*",
        "_",
        "# ",
        "> ",
        "- ",
        "+ ",
        "1. ",
        "|",
        "|-|",
        '"',
        "'",
        "onclick=",
        "&#106;avascript:",
        "data:text/html,",
        "<svg/onload=alert(1)>",
        "x",
        "12",
        " ",
        "http://e.example/",
        "<http:x>",
    ]
)
HOSTILE = st.lists(PIECES | st.text(max_size=6), max_size=24).map("".join)


@given(HOSTILE)
@example('$"><script>alert(1)</script>$')
@example("```html\n<script>alert(1)</script>\n```")
@example("[a](JaVaScRiPt:alert(1))")
def test_nothing_in_it_can_run(text):
    seen = Seen(rich(text))
    assert seen.tags <= {
        "p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "a", "span",
        "h1", "h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    names = {name for name, _ in seen.attributes}
    assert names <= {"href", "rel", "class", "data-tex", "start"}
    assert not [name for name in names if name.startswith("on") or name == "style"]
    for name, value in seen.attributes:
        if name == "href":
            assert re.match(r"(?i)(https?:|mailto:)", value)


@given(st.text(alphabet="ab12 +-*_=$.()>#|\\`\n", max_size=40))
def test_what_passes_as_plain_has_nothing_to_render(text):
    if marked_up(text) == "":
        assert Seen(rich(text)).tags <= {"p", "br", "ol", "ul", "li"}
    else:
        assert marked_up(text) == rich(text)


@pytest.mark.parametrize(
    "text",
    [
        "3*12*5 = 180",
        "a_1_b",
        "5 < 6 & 7 > 3",
        "pays $5, he pays $6.",
        "costs $5, then $7",
        "2 * 3 * 4",
        "&amp;",
    ],
)
def test_arithmetic_stays_as_written(text):
    assert unescape(re.sub(r"<[^>]+>", "", rich(text))).strip() == text


def test_a_sign_at_the_start_of_a_line_is_kept():
    assert 'class="plus"' in rich("+ 36\n+ 4")
    assert "<ol start" in rich("3. carry on")
    assert "<h2>" not in rich("50\n--")
    assert "<pre>" not in rich("    50 - 15")


@pytest.mark.parametrize("text", [r"$x^2$", r"\(x^2\)"])
def test_inline_mathematics(text):
    assert rich(f"so {text}!") == '<p>so <span class="math" data-tex="x^2">x^2</span>!</p>\n'


@pytest.mark.parametrize("text", [r"$$a<b$$", "\\[a<b\\]", "$$\na<b\n$$"])
def test_displayed_mathematics_stays_within_its_paragraph(text):
    assert '<span class="math display" data-tex="a&lt;b">a&lt;b</span>' in rich(text)


def test_code_is_highlighted_by_class():
    html = rich("```python\nx = '<b>'\n```")
    assert '<span class="hl-n">x</span>' in html
    assert "&lt;b&gt;" in html
    assert "no-such" not in rich("```no-such\nplain\n```")


def test_a_link_may_lead_elsewhere_but_never_runs():
    assert 'href="https://e.example/"' in rich("[a](https://e.example/)")
    assert "href" not in rich("[a](javascript:alert(1))")
    assert "href" not in rich("[a](/sign-out/)")


def test_a_long_text_is_quick():
    """Backtracking over thousands of dollars and brackets would hang a page."""
    for piece in ("$a", "\\(", "[", "*a", "`", "> ", "\\["):
        rich(piece * 4000)
        marked_up(piece * 4000)


@pytest.mark.parametrize(
    "text",
    ["\n" * 40_000, " " * 40_000 + "x", "<" * 40_000, "12345 67\n" * 5_000, "1.\n" * 10_000, "\\(" * 5_000],
    ids=["newlines", "spaces", "angles", "numbers", "list", "maths"],
)
def test_no_text_keeps_the_server_busy(text):
    begun = time.process_time()
    marked_up(text)
    rich.__wrapped__(text)
    assert time.process_time() - begun < 3  # at quadratic cost each of these took between seconds and hours


def test_what_is_too_long_to_render_stays_as_it_is():
    text = "# heading <b>\n" * 10_000
    assert marked_up(text) == ""
    assert rich(text).startswith("<pre># heading &lt;b&gt;\n")
