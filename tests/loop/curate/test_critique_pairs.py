"""Preferences between two critiques of one response become pairs for the critic, worked out by hand."""

from dataclasses import replace

import pytest

from loop.annotate.aggregate import TIE
from loop.curate import Material, critique_pairs, funnel, preference_pairs, shuffle_verdicts
from loop.curate.critique_pairs import ALL_BAD, DISAGREES, EQUAL, GONE
from loop.curate.material import SAME
from loop.dialects.terse import Terse
from loop.records import (
    Author,
    Critique,
    Mark,
    Message,
    Preference,
    Prompt,
    Response,
    RowKind,
    Score,
    TrainRow,
    Verdict,
)

TERSE = Terse()
PROMPT = Prompt("p", (Message("user", "Double 2 and 1 more?"),), reference="5", verifier="number")
TEXT = "2 * 2 = 4\n4 + 1 = 6\nAnswer: 6"
RESPONSE = Response("r", "p", TEXT, TERSE.split_steps(TEXT))
FOUND = "2 * 2 = 4 : good\n4 + 1 = 5 : wrong # wrong result\nVerdict: wrong"
MISSED = "2 * 2 = 4 : good\n4 + 1 = 6 : good\nAnswer: 6 : good\nVerdict: right"


def said(name: str, text: str) -> Critique:
    read = TERSE.read_critique(text, RESPONSE)
    return Critique(name, "r", Author.MODEL, read.marks, read.first_error, read.verdict,
                    read.comments, read.corrections, text=text)  # fmt: skip


CRITIQUES = (said("found", FOUND), said("missed", MISSED))


def chose(winner: int | None, name: str = "f1", ids=("found", "missed"), **more) -> Preference:
    return Preference(name, "p", ("r",), winner, Author.PERSON, critique_ids=ids, **more)


def material(*choices: Preference, critiques=CRITIQUES, scores=()) -> Material:
    return Material(PROMPT, (RESPONSE,), scores, critiques, critique_preferences=choices)


def test_the_row_is_the_critics_own_prompt_with_both_critiques_as_they_were_written():
    (found,) = critique_pairs([material(chose(0))], dialect=TERSE)
    assert found.row == TrainRow(
        RowKind.CRITIQUE_PAIR,
        "p",
        (Message("user", f"Double 2 and 1 more?\nDraft:\n{TEXT}\nCheck:"),),
        chosen=FOUND,
        rejected=MISSED,
    )
    assert (found.kept, found.response_id, found.accepted_by, found.sources) == (True, "r", "people", ("f1",))


def test_the_winner_counts_whatever_the_order_of_the_ids():
    # "found" wins twice, as index 0 and as index 1, against one vote for "missed".
    votes = chose(0), chose(1, "f2", ("missed", "found")), chose(1, "f3")
    (found,) = critique_pairs([material(*votes)], dialect=TERSE)
    assert (found.row.chosen, found.row.rejected) == (FOUND, MISSED)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ((chose(None),), EQUAL),
        ((chose(None, all_bad=True),), ALL_BAD),
        ((chose(0), chose(1, "f2")), TIE),
        ((chose(0, ids=("found", "deleted")),), GONE),
        ((chose(0, ids=("found", "again")),), SAME),
    ],
)
def test_what_is_no_pair_says_why(choices, reason):
    known = (*CRITIQUES, said("again", FOUND))
    (found,) = critique_pairs([material(*choices, critiques=known)], dialect=TERSE)
    assert (found.kept, found.reason) == (False, reason)


@pytest.mark.parametrize(
    ("checker", "winner", "reason"),
    [
        (Verdict.WRONG, 0, ""),  # the checker agrees with the preferred one
        (Verdict.WRONG, 1, DISAGREES),  # "right" was preferred over "wrong"
        (Verdict.RIGHT, 0, DISAGREES),
        (Verdict.UNKNOWN, 1, ""),  # an undecided checker has no say
    ],
)
def test_the_checker_must_not_side_with_the_other_critique(checker, winner, reason):
    scores = (Score("r", "verifier", None, checker),)
    (found,) = critique_pairs([material(chose(winner), scores=scores)], dialect=TERSE)
    assert found.reason == reason


def test_two_critiques_that_both_contradict_the_checker_still_compare():
    other = replace(CRITIQUES[0], id="other", text=FOUND.replace(" # wrong result", ""))
    scores = (Score("r", "verifier", None, Verdict.RIGHT),)
    votes = chose(0, ids=("found", "other"))
    (found,) = critique_pairs([material(votes, critiques=(*CRITIQUES, other), scores=scores)], dialect=TERSE)
    assert found.kept


def test_a_critique_without_words_of_its_own_is_worded_by_the_dialect():
    bare = replace(CRITIQUES[0], text="", corrections={1: "4 + 1 = 5"}, marks=(Mark.GOOD, Mark.WRONG, None))
    (found,) = critique_pairs([material(chose(0), critiques=(bare, CRITIQUES[1]))], dialect=TERSE)
    assert found.row.chosen == FOUND


def test_they_never_count_as_preferences_between_responses():
    compared, not_compared = (
        preference_pairs([material(*votes)], dialect=TERSE, accept="people") for votes in ((chose(0),), ())
    )
    assert compared == not_compared
    assert funnel(critique_pairs([material()], dialect=TERSE)) == {}


def test_the_control_arm_draws_their_winner_anew():
    many = [chose(0, f"f{i}") for i in range(40)]
    (shuffled,) = shuffle_verdicts([material(*many)], seed=5)
    winners = {p.winner for p in shuffled.critique_preferences}
    assert winners == {0, 1}
    assert [p.id for p in shuffled.critique_preferences] == [p.id for p in many]
