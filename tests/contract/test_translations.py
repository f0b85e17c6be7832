"""The catalogues hold every text of the program, and what they say fits it. GNU gettext is not needed."""

import importlib.util
import io
import json
import re

import pytest
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from django.conf import settings

from webapp.embedded.layout import ROOT

_SPEC = importlib.util.spec_from_file_location("extract", ROOT / "locale" / "extract.py")
extract = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(extract)

LANGUAGES = [code for code, _ in settings.LANGUAGES if code != "en"]  # English texts are the keys
BEGUN = (
    "annotate",
    "accounts",
    "base",
    "iterations",
    "curate",
)  # folders of templates whose every word can be translated
every_language = pytest.mark.parametrize("language", LANGUAGES)
UPDATE = "Run: .venv/bin/python locale/extract.py && .venv/bin/pybabel compile -d locale -D django"


def pages(language):
    with extract.po_of(language).open("rb") as file:
        return read_po(file, locale=language)


def scripts(language):
    return json.loads((extract.LOCALE / language / "scripts.json").read_text(encoding="utf-8"))


def said(catalogue):
    """msgid (or singular and plural) -> its translation, of those that have one."""
    found = {_fixed(m.id): _fixed(m.string) for m in catalogue if m.id}
    return {text: word for text, word in found.items() if any([word] if isinstance(word, str) else word)}


def _fixed(text):
    return text if isinstance(text, str) else tuple(text)  # a compiled catalogue is read as lists


@every_language
def test_every_text_of_the_pages_is_in_the_catalogue(language):
    assert {m.id for m in pages(language) if m.id} == set(extract.page_texts()), UPDATE


@every_language
def test_every_text_of_the_scripts_is_in_the_catalogue(language):
    assert set(scripts(language)) == set(extract.script_texts()), UPDATE


@every_language
def test_what_the_program_reads_is_compiled_from_what_people_edit(language):
    again = io.BytesIO()
    write_mo(again, pages(language))
    again.seek(0)
    with extract.po_of(language).with_suffix(".mo").open("rb") as file:
        compiled, expected = read_mo(file), read_mo(again)  # not their bytes: the head names Babel's version
    assert said(compiled) == said(expected), UPDATE
    assert compiled.plural_forms == expected.plural_forms


@every_language
def test_a_translation_fills_in_what_the_text_fills_in(language):
    for text, word in scripts(language).items():
        assert not word or extract.holes(word) == extract.holes(text), word
    for text, word in said(pages(language)).items():
        if isinstance(text, str):
            assert extract.holes(word) == extract.holes(text), word
            continue
        assert all(word), f"{word}: every plural form or none"
        for form in word:  # a form for exactly one may say it in words
            assert set().union(*map(extract.holes, text)) >= extract.holes(form) >= extract.holes(text[0]), (
                form
            )


@every_language
def test_percent_signs_and_markup_survive(language):
    for text, word in said(pages(language)).items():
        for one, form in [(text, word)] if isinstance(text, str) else [(text[1], form) for form in word]:
            formatted = "%(" in one or "%%" in one
            assert not formatted or "%" not in re.sub(r"%\(\w+\)s|%%", "", form), form
            assert sorted(re.findall(r"<[^>]*>", form)) == sorted(re.findall(r"<[^>]*>", one)), form


def test_what_metrics_and_rules_are_called_is_in_the_catalogue():
    texts = extract.page_texts()
    assert texts["Diversity loss"] == ["loop/evaluate/alarms/models.py"]
    assert texts["Brier score"] == ["webapp/metrics/measures/calibration.py"]
    assert "loop/evaluate/alarms/data.py" in texts["The filter removes less than {limit} of what is wrong."]


def bare_words(source):
    """Words of a template outside of any translation: between tags, and in attributes that are read out."""
    source = re.sub(r"{#.*?#}", "", source)
    source = re.sub(r"{%\s*blocktranslate\b.*?{%\s*endblocktranslate\s*%}", "", source, flags=re.DOTALL)
    source = re.sub(r"{%\s*(block|endblock)\b.*?%}", "|", source)
    source = re.sub(r"{%.*?%}|{{.*?}}", "", source, flags=re.DOTALL)
    read_out = r'\b(?:aria-label|title|placeholder|alt|data-confirm|data-label-\w+)="([^"]*)"'
    found = re.findall(read_out, source)
    shown = re.sub(r"<(kbd|svg|code)\b.*?</\1>", "", source, flags=re.DOTALL)
    return [
        word.strip() for word in [*found, *re.split(r"<[^>]*>|\|", shown)] if re.search(r"[A-Za-z]{2}", word)
    ]


NAMES = {"Whetstone", "· Whetstone", "HTML", "Markdown", "sha256"}
CLASSES = re.compile(r"{%\s*block (page_class|body_attrs).*?endblock\s*%}", re.DOTALL)


@pytest.mark.parametrize(
    "path",
    [
        p.relative_to(ROOT).as_posix()
        for p in sorted((ROOT / "templates").rglob("*.html"))
        if p.relative_to(ROOT / "templates").parts[0].removesuffix(".html") in BEGUN
    ],
)
def test_no_word_of_a_template_is_outside_of_a_translation(path):
    source = CLASSES.sub("", (ROOT / path).read_text(encoding="utf-8"))
    assert set(bare_words(source)) <= NAMES


def test_bare_words_are_found():
    assert bare_words('<p title="Read me">{% translate "No" %} Bare <b>words</b> {{ n }}</p>') == [
        "Read me", "Bare", "words",
    ]  # fmt: skip
    assert bare_words("{% blocktranslate %}All {{ n }} held{% endblocktranslate %}<kbd>Esc</kbd>") == []


def test_texts_are_read_from_each_kind_of_file():
    page = """{% translate 'One' %}{% translate "95 % sure" as w %}
        {% blocktranslate count n=3 with a=b %}{{ n }} x {{ a }}{% plural %}{{ n }} y {{ a }}
        {% endblocktranslate %}{{ c|default:_("None") }}"""
    assert list(extract.of_template(page)) == [
        "One",
        "95 %% sure",
        ("%(n)s x %(a)s", "%(n)s y %(a)s\n        "),
        "None",
    ]
    code = 'def f():\n    _("One")\n    ngettext("{n} a", "{n} b", n)\n    lazy("Two " "three")\n'
    code += '    gettext_noop("Four")\n    _(variable)\n'
    assert list(extract.of_python(code)) == ["One", ("{n} a", "{n} b"), "Two three", "Four"]
    rules = 'def f():\n    saying("fall", "It fell {by}.", by=Sentence("Two " "three", {"a": b}))\n'
    rules += '    Sentence(variable)\n    phrase("Four")\n    said("five")\n'
    assert set(extract.of_loop(rules)) == {"It fell {by}.", "Two three", "Four"}
    assert list(extract.of_script('t("a \\"b\\"", { n }); const not = at("c"); x.t("d"); [t(\n"e")]')) == [
        'a "b"',
        "e",
    ]
