"""Brings the catalogues up to date with the texts of the program: `.venv/bin/python locale/extract.py`.

Texts of templates and Python, of what alarms say, and the titles of metrics and alarm rules go to
`<language>/LC_MESSAGES/django.po`, those of the page's scripts to `<language>/scripts.json` (English text ->
translation, "" = none yet). What is translated already stays; what is no longer used goes. Afterwards
`pybabel compile`. Babel is in requirements/test.txt.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import django
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
_ONE = dict.fromkeys(("_", "_noop", "lazy", "gettext", "gettext_lazy", "gettext_noop"))
PYTHON = {**_ONE, "ngettext": (1, 2), "ngettext_lazy": (1, 2)}

SAID = {"phrase": 0, "Sentence": 0, "saying": 1}  # in the loop: the place of the text

Text = str | tuple[str, str]  # or singular and plural

_STRING = r"""u?('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_CALL = re.compile(rf"\b(?:(?:gettext|_)\({_STRING}\)|ngettext\({_STRING}, ?{_STRING},)")
_SCRIPT_CALL = re.compile(r"""(?<![\w.$])t\(\s*("(?:\\.|[^"\\])*")""")
_HOLE = re.compile(r"%\((\w+)\)s|\{(\w+)\}")


def of_template(source: str) -> Iterator[Text]:
    """The texts of a template as Django looks them up: variables as %(name)s, percent signs doubled."""
    for found in _CALL.finditer(templatize(source)):
        single, one, many = found.groups()
        yield ast.literal_eval(single) if single else (ast.literal_eval(one), ast.literal_eval(many))


def of_python(source: str) -> Iterator[Text]:
    for _line, _name, said, _comments in extract_python(io.BytesIO(source.encode()), PYTHON, (), {}):
        texts = [said] if isinstance(said, str) else [one for one in said or () if one]  # None: a variable
        if len(texts) == 1:
            yield texts[0]
        elif texts:
            yield (texts[0], texts[1])


def of_loop(source: str) -> Iterator[Text]:
    """What alarm rules say, and other words of the loop that pages show."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in SAID:
            said = call.args[SAID[call.func.id]]
            if isinstance(said, ast.Constant):  # else a variable, whose text is marked where it is written
                yield said.value


def of_registries() -> Iterator[tuple[Text, str]]:
    """What metrics and alarm rules are called and advise, each with the module that says it."""
    from loop.evaluate.alarms import RULES
    from webapp.metrics.measures import groups

    for rule in RULES.values():
        yield from ((text, rule.decide.__module__) for text in (rule.title, rule.what_to_do))
    for group in groups():
        yield from ((text, group.__name__) for text in (group.GROUP, *(m.title for m in group.METRICS)))


def of_script(source: str) -> Iterator[str]:
    """The first argument of every t("…")."""
    for found in _SCRIPT_CALL.finditer(source):
        yield json.loads(found[1])


def holes(text: str) -> set[str]:
    """The names of what is filled in: %(n)s and {n}."""
    return {one or other for one, other in _HOLE.findall(text)}


def page_texts() -> dict[Text, list[str]]:
    """Every text of pages and alarms, with the files that say it."""
    found: dict[Text, list[str]] = {}
    registered = ((text, f"{module.replace('.', '/')}.py") for text, module in of_registries())
    for text, place in chain(_written(), registered):
        places = found.setdefault(text, [])
        if place not in places:
            places.append(place)
    return found


def _written() -> Iterator[tuple[Text, str]]:
    """Texts that are read in the sources."""
    readers = (
        (of_template, _files("templates", "*.html")),
        (of_python, _files("webapp", "*.py")),
        (of_loop, _files("loop", "*.py")),
    )
    for read, paths in readers:
        for path in paths:
            for text in read(path.read_text(encoding="utf-8")):
                yield text, path.relative_to(ROOT).as_posix()


def script_texts() -> list[str]:
    """Every text of the scripts, in the order of the files."""
    sources = [p for p in _files("static", "*.js") if "vendor" not in p.parts]
    return list(dict.fromkeys(text for p in sources for text in of_script(p.read_text(encoding="utf-8"))))


def _files(folder: str, pattern: str) -> Iterable[Path]:
    return sorted((ROOT / folder).rglob(pattern))


def po_of(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def _update_po(language: str) -> int:
    path = po_of(language)
    old = Catalog(locale=language)
    if path.is_file():
        with path.open("rb") as file:
            old = read_po(file, locale=language)
    new = Catalog(language, header_comment="# See CONTRIBUTING.md, Translations.", fuzzy=False)
    new.project, new.version = "Whetstone", "1"
    new.last_translator = new.language_team = "Whetstone"
    new.msgid_bugs_address = "see CONTRIBUTING.md"
    new.revision_date = new.creation_date = old.creation_date  # the same texts give the same file
    by_text = {m.id if isinstance(m.id, str) else m.id[0]: m.string for m in old if m.id}
    for text, places in page_texts().items():
        said = by_text.get(text if isinstance(text, str) else text[0], "")
        if isinstance(said, str) != isinstance(text, str):  # one form became several, or several one
            said = ""
        new.add(text, said or None, locations=[(place, 0) for place in places])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, new, width=110, include_lineno=False, omit_header=False)
    return sum(not any(m.string if isinstance(m.string, tuple) else [m.string]) for m in new if m.id)


def _update_scripts(language: str) -> int:
    path = LOCALE / language / "scripts.json"
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    new = {text: old.get(text, "") for text in script_texts()}
    path.write_text(json.dumps(new, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return sum(not said for said in new.values())


def main() -> int:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings.base")
    django.setup()  # metrics read tables
    for folder in sorted(p for p in LOCALE.iterdir() if p.is_dir() and not p.name.startswith("__")):
        language = folder.name
        pages, scripts = _update_po(language), _update_scripts(language)
        sys.stdout.write(f"{language}: {pages} texts of pages and {scripts} of scripts are not translated\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
