"""Sentences of rules, worded in English and in a language of our own making."""

import json

import pytest

from loop.evaluate.alarms import RULES, Language, Seen, fired
from loop.evaluate.alarms.said import ENGLISH, Figure, Sentence
from loop.evaluate.alarms.wording import change_by, number, percent, points, share
from tests.loop.evaluate.alarming import turn

GERMAN = {
    "{number} points": "{number} Punkte",
    "{value} (95 % {low} to {high})": "{value} (95 % {low} bis {high})",
    "It is {figure}, {how}.": "{how}: {figure}.",
    "no gain": "kein Gewinn",
}
OTHER = Language(lambda text: GERMAN.get(text, text), ",")


@pytest.mark.parametrize(
    ("figure", "english", "german"),
    [
        (share(Seen(0.614, 0.58, 0.648)), "61.4 % (95 % 58.0 to 64.8)", "61,4 % (95 % 58,0 bis 64,8)"),
        (
            change_by(Seen(0.075, -0.0004, 0.108)),
            "+7.5 points (95 % 0.0 to 10.8)",
            "+7,5 Punkte (95 % 0,0 bis 10,8)",
        ),
        (change_by(Seen(-0.2)), "−20.0 points", "−20,0 Punkte"),
        (change_by(Seen(0.0)), "0.0 points", "0,0 Punkte"),
        (points(Seen(0.06, 0.03, 0.09)), "6.0 points (95 % 3.0 to 9.0)", "6,0 Punkte (95 % 3,0 bis 9,0)"),
        (number(Seen(1.34, 1.28, 1.41)), "1.34 (95 % 1.28 to 1.41)", "1,34 (95 % 1,28 bis 1,41)"),
        (number(Seen(-0.5)), "−0.50", "−0,50"),
        (percent(0.15), "15 %", "15 %"),
        (percent(0.125), "12.5 %", "12,5 %"),
    ],
)
def test_a_figure_in_both_languages(figure, english, german):
    said = [Sentence("{figure}", {"figure": figure})]
    assert ENGLISH.worded(said) == english
    assert OTHER.worded(said) == german


def test_sentences_are_worded_as_well_from_json():
    said = [
        Sentence("It is {figure}, {how}.", {"figure": Figure("percent", 0.1), "how": "no gain"}),
        Sentence("Nobody knows this one."),
    ]
    for read in (said, json.loads(json.dumps(said))):
        assert ENGLISH.worded(read) == "It is 10 %, no gain. Nobody knows this one."
        assert OTHER.worded(read) == "kein Gewinn: 10 %. Nobody knows this one."


def test_what_fired_says_survives_being_stored():
    found = fired(RULES["forgetting"], turn(forgetting=(0.06, 0.021, 0.1)))
    assert ENGLISH.worded(json.loads(json.dumps(found.said))) == found.text
