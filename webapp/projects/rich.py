"""What models and people wrote, as HTML that cannot do harm: markdown, mathematics, highlighted code.

Two fences: the parser takes HTML as text, and the cleaner drops whatever tag, class or address is not
harmless. Mathematics is left as TeX in ``<span class="math" data-tex="…">`` for the browser to typeset.

What a model writes is arithmetic more often than markdown, so those rules are off that would eat a sign:
``3*12*5`` is no emphasis, an indented line is no code, dashes below a line make no heading, a price no maths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

LONGEST_CODE = 20_000  # characters; longer code stays without colours

_TAGS = {
    "p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "a", "span",
    "h1", "h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_CLASSES = {
    "span": {"math", "display", *(f"hl-{name}" for name in STANDARD_TYPES.values() if name)},
    "ul": {"plus", "star"},
}
_ATTRIBUTES = {"a": {"href"}, "span": {"data-tex"}, "ol": {"start"}}
# What a renderer could do something about. Lists are left out: they read the same as they stand. Each branch
# stays within its line and never goes back: the text is anybody's, and must not keep the server busy.
_SIGNS = re.compile(
    r"""(?<!\w)[*_]+\S | [`~]| \\[^\w\s] | \$[^$]*\$ | \]\( | <[^\s<:@]+[:@]
    | ^[^\S\n]*+(?:[*+\-\d.)]++[^\S\n]*+)*+(?:>|\#{1,6}(?:\s|$)) | ^[^\S\n]*+\|?[^\S\n]*+:?-++:?[^\S\n]*+\|
    | ^[^\S\n]*+(?:-[^\S\n]*+){3,}+$ | ^[^\S\n]*+:?-++:?[^\S\n]*+$""",
    re.MULTILINE | re.VERBOSE,
)
LONGEST = 50_000  # characters; a longer text stays as it is
_LONGEST_MATHS = 2_000
_MATHS = re.compile(rf"\\\((.{{1,{_LONGEST_MATHS}}}?)\\\)|\\\[(.{{1,{_LONGEST_MATHS}}}?)\\\]", re.DOTALL)
_formatter = HtmlFormatter(nowrap=True, classprefix="hl-")


def marked_up(text: str) -> str:
    """`rich` of the text, or "" where the text has nothing to render and does as it stands."""
    return rich(text) if len(text) <= LONGEST and _SIGNS.search(text) else ""


@lru_cache(maxsize=4096)
def rich(text: str) -> str:
    """The text as clean HTML."""
    if len(text) > LONGEST:
        return f"<pre>{escapeHtml(text)}</pre>"
    return nh3.clean(
        _parser.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
    )


def _code(code: str, language: str, _attributes: str) -> str:
    """Highlighted code, or "" for the parser to escape it itself."""
    if not language or len(code) > LONGEST_CODE:
        return ""
    try:
        return str(highlight(code, get_lexer_by_name(language), _formatter))
    except ClassNotFound:
        return ""


def _brackets(state: StateInline, silent: bool) -> bool:
    r"""Mathematics between \( and \), or between \[ and \]."""
    if not state.src.startswith(("\\(", "\\["), state.pos):
        return False
    found = _MATHS.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        token = state.push("math_inline" if found[1] else "math_inline_double", "math", 0)
        token.content = found[1] or found[2]
    state.pos = found.end()
    return True


def _sign_within(state: StateInline, silent: bool) -> bool:
    """Stars and underscores between letters or digits stand for themselves."""
    mark = state.src[state.pos]
    if mark not in "*_":
        return False
    end = state.pos
    while end < state.posMax and state.src[end] == mark:
        end += 1
    before = state.src[state.pos - 1] if state.pos else " "
    after = state.src[end] if end < state.posMax else " "
    if not (before.isalnum() and after.isalnum()):
        return False
    if not silent:
        state.pending += mark * (end - state.pos)
    state.pos = end
    return True


def _bullets(state: Any) -> None:
    """A list keeps the sign it was written with: it may have been a plus."""
    for token in state.tokens:
        if token.type == "bullet_list_open" and token.markup in "+*":
            token.attrSet("class", {"+": "plus", "*": "star"}[token.markup])


def _maths(classes: str) -> Callable[..., str]:
    def render(_: Any, tokens: Sequence[Token], index: int, *__: Any) -> str:
        tex = escapeHtml(tokens[index].content.strip())
        return f'<span class="{classes}" data-tex="{tex}">{tex}</span>'

    return render


def _made() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "highlight": _code})
    parser.enable("table").disable(["code", "lheading", "image", "reference", "entity"])
    dollarmath_plugin(parser, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    parser.inline.ruler.before("escape", "math_brackets", _brackets)
    parser.inline.ruler.before("emphasis", "sign_within", _sign_within)
    parser.core.ruler.push("bullets", _bullets)
    for rule in ("math_inline", "math_inline_double", "math_block"):
        parser.add_render_rule(rule, _maths("math" if rule == "math_inline" else "math display"))
    return parser


_parser = _made()
