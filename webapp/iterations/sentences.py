"""Sentences that are kept in English, with what is filled in, and how a reader's language says them.

Why an iteration moved and what a unit reports are stored as they were said, for logs and the API. Pages find
the text that a sentence was made of and fill in its translation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from django.utils.formats import get_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as _noop

from loop.curate.material import OVER
from loop.promote.words import TEXTS as OF_THE_GATE

PINNED = _noop("champion {champion} pinned")
REUSES = _noop("a control arm reuses the responses of the iteration it controls")
ANSWERED = _noop("{n} prompts answered")
ANSWERS_IN = _noop("{answers} of {wanted} answers in")
NOTHING_TO_ANNOTATE = _noop("nothing to annotate")
TOO_FEW = _noop("{n} examples are fewer than the {least} the recipe asks for: nothing to train")
FROZEN = _noop("dataset {dataset} frozen with {n} rows")
TRAINED = _noop("{model} trained")
MEASURED = _noop("challenger and champion measured on the same prompts")
PROMOTED = _noop("promoted")
HELD = _noop("held")

NEVER_PROMOTED = _noop("control arm: never promoted")
EXHAUSTED = _noop(
    "every held-out prompt has been used for as many decisions as the recipe allows ({budget}): "
    "import new held-out prompts"
)
REPLACED = _noop("{champion} stopped being champion meanwhile; compare with the new one")
SCORER_REPLACED = _noop("{before} was replaced by {now} meanwhile; compare with that")
NO_SCORER = _noop("doing without a scorer")
NOTHING = _noop("nothing")

# What workers report: they know nothing of pages.
REPORTED = (
    _noop("sampling"),
    _noop("deriving examples"),
    _noop("training"),
    _noop("starting the trainer"),
    _noop("simulated annotators are answering"),
    _noop("continuing from corrected steps"),
    _noop("measuring {stage}"),
    _noop("{model} writes {n} samples"),
    _noop("{model} ranks them"),
    _noop("{model} with examples in the prompt, on {split}"),
    _noop("{model} on heldout"),
    _noop("{model} on probe"),
)
# Words that fill them in.
FILLED_IN = (
    _noop("answers that can be read"),
    _noop("answers that come to an end"),
    _noop("answers cut off at the length limit"),
    _noop("probe accuracy"),
    _noop("probe prompts solved earlier"),
    _noop("unanswerable prompts"),
    _noop("tag"),
    _noop("difficulty"),
    _noop("length"),
)
TEXTS = (
    PINNED, ANSWERED, ANSWERS_IN, TOO_FEW, FROZEN, TRAINED, EXHAUSTED, REPLACED,
    SCORER_REPLACED, OVER, *REPORTED, *OF_THE_GATE,
)  # fmt: skip
LONGEST = 600  # characters; longer is none of them, and to look for their ends in it would take long
_NUMBER = re.compile(r"[+-]?\d+\.\d+%?")


def told(sentence: str, texts: Iterable[str] = TEXTS) -> str:
    """In the reader's language; as it is where it was made of no such text. The first that fits counts."""
    whole = _(sentence)
    if whole != sentence:
        return whole
    for text in texts if len(sentence) <= LONGEST else ():
        if found := _pattern(text).fullmatch(sentence):
            return _(text).format(**{name: _hole(value) for name, value in found.groupdict().items()})
    return sentence


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(text)))


def _hole(value: str) -> str:
    return value.replace(".", get_format("DECIMAL_SEPARATOR")) if _NUMBER.fullmatch(value) else told(value)
