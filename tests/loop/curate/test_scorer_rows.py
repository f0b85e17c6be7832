"""Rows that train scorers and judges, and what a scorer accepts."""

import pytest

from loop.curate import Material, curate, judgement_rows, prompt_rows, step_labels
from loop.curate.labels import NOTHING_JUDGED
from loop.curate.material import DISAGREES, FOUND_WRONG, judged, with_scorer_verdicts
from loop.curate.pairs import preference_pairs
from loop.curate.prompt_rows import NO_CHECKER
from loop.dialects.chat import Chat
from loop.dialects.terse import Terse
from loop.recipe_parts import CuratePart
from loop.records import (
    Author,
    Critique,
    Mark,
    Message,
    Origin,
    Preference,
    Prompt,
    Response,
    RowKind,
    Score,
    TrainRow,
    Verdict,
)

TERSE, CHAT = Terse(), Chat()
PROMPT = Prompt("p", (Message("user", "Double 2 and 1 more?"),), reference="5", verifier="math_answer")
BAD, FINE = "2 * 2 = 4\n4 + 1 = 6\nAnswer: 6", "2 * 2 = 4\n4 + 1 = 5\nAnswer: 5"
G, N, W = Mark.GOOD, Mark.NEUTRAL, Mark.WRONG


def response(name, text, **more):
    return Response(name, "p", text, TERSE.split_steps(text), answer=TERSE.read_answer(text), **more)


def marked(response_id, marks, first_error=None, verdict=Verdict.RIGHT):
    return Critique(f"c-{response_id}", response_id, Author.PERSON, marks, first_error, verdict)


def labels(material):
    (candidate,) = step_labels([material], dialect=TERSE)
    return candidate


def test_labels_stand_at_the_ends_of_judged_steps_and_stop_at_the_first_error():
    material = Material(
        PROMPT,
        (response("r", "\n" + BAD + " "),),
        judgements=(marked("r", (G, W, None), 1, Verdict.WRONG),),
    )
    found = labels(material)
    assert found.kept
    # Characters of the text as it is trained: "2 * 2 = 4" ends at 9, "4 + 1 = 6" at 19.
    assert found.row == TrainRow(
        RowKind.STEP_LABELS, "p", PROMPT.messages, chosen=BAD, steps=((9, 1.0), (19, 0.0))
    )
    assert (found.accepted_by, found.sources) == ("people", ("c-r",))


def test_a_first_error_without_its_mark_is_a_label_and_nobodys_step_is_none():
    one = Material(PROMPT, (response("r", BAD),), judgements=(marked("r", (None,) * 3, 1, Verdict.WRONG),))
    assert labels(one).row.steps == ((19, 0.0),)
    neutral = Material(PROMPT, (response("r", FINE),), judgements=(marked("r", (N, None, G)),))
    assert labels(neutral).row.steps == ((9, 1.0), (29, 1.0))


@pytest.mark.parametrize(
    ("critique", "scores", "reason"),
    [
        (marked("r", (None,) * 3), (), NOTHING_JUDGED),
        (marked("r", (G, G, G)), (Score("r", "verifier", 0.0, Verdict.WRONG),), DISAGREES),
    ],
)
def test_what_is_not_labelled(critique, scores, reason):
    assert labels(Material(PROMPT, (response("r", FINE),), scores, judgements=(critique,))).reason == reason
    assert step_labels([Material(PROMPT, (response("r", FINE),), scores)], dialect=TERSE) == []


PAIR = Material(
    PROMPT,
    (response("a", FINE), response("b", BAD)),
    (Score("a", "verifier", 1.0, Verdict.RIGHT), Score("b", "verifier", 0.0, Verdict.WRONG)),
)


@pytest.mark.parametrize("dialect", [TERSE, CHAT], ids=lambda d: d.name)
def test_a_judgement_is_trained_in_both_orders(dialect):
    first, second = judgement_rows([PAIR], dialect=dialect)
    for candidate, place, shown in ((first, 0, [FINE, BAD]), (second, 1, [BAD, FINE])):
        assert candidate.kept
        row = candidate.row
        assert (row.kind, candidate.kind, row.rejected) == (RowKind.JUDGEMENT, RowKind.JUDGEMENT, None)
        asked = row.messages[-1].content
        assert asked.index(shown[0]) < asked.index(shown[1])
        assert dialect.read_judgement(row.chosen, 2) == place


def test_judgements_rest_on_what_people_preferred():
    liked = Preference("v", "p", ("a", "b"), 1, Author.PERSON)  # against the checker, which is not asked here
    material = Material(PROMPT, PAIR.responses, preferences=(liked,))
    rows = judgement_rows([material], dialect=TERSE)
    kept = [c for c in rows if c.kept]
    assert [TERSE.read_judgement(c.row.chosen, 2) for c in kept] == [0, 1]
    assert all(c.row.chosen.startswith(BAD) and c.sources == ("v",) for c in kept)


def test_every_drop_of_a_pair_is_one_of_the_judgement():
    alone = Material(PROMPT, PAIR.responses[:1], PAIR.scores[:1])
    dropped = preference_pairs([alone], dialect=TERSE)
    assert [(c.kind, c.reason) for c in judgement_rows([alone], dialect=TERSE)] == [
        (RowKind.JUDGEMENT, c.reason) for c in dropped
    ]


def test_prompt_rows_carry_what_the_checker_needs():
    (kept,) = prompt_rows([PAIR], dialect=TERSE)
    assert kept.kept
    assert (kept.row.chosen, kept.row.reference, kept.row.verifier) == ("", "5", "math_answer")
    (dropped,) = prompt_rows([Material(Prompt("q", PROMPT.messages))], dialect=TERSE)
    assert dropped.reason == NO_CHECKER


def scored(*scores):
    return Material(PROMPT, (response("a", FINE), response("b", BAD)), scores)


def test_a_scorer_accepts_from_the_threshold_on():
    material = scored(Score("a", "process_reward", 0.7), Score("b", "process_reward", 0.69))
    part = CuratePart(rows=(RowKind.SAMPLE,), accept="scorer", threshold=0.7)
    a, b = curate([material], part, TERSE)
    assert (a.kept, a.accepted_by) == (True, "scorer")
    assert b.reason == "the scorer gives it less than the threshold"


def test_people_overrule_the_scorer():
    material = Material(
        PROMPT,
        (response("b", BAD),),
        (Score("b", "reward", 0.99),),
        judgements=(marked("b", (G, W, None), 1, Verdict.WRONG),),
    )
    found = judged(with_scorer_verdicts(material, 0.5), material.responses[0], "scorer")
    assert (found.right, found.by, found.reason) == (False, "people", FOUND_WRONG)


def test_what_the_scorer_did_not_see_is_undecided_and_steps_count_before_the_whole():
    material = with_scorer_verdicts(
        scored(Score("a", "process_reward", 0.1), Score("a", "reward", 0.9), Score("b", "self_verdict", 1.0)),
        0.5,
    )
    a, b = material.responses
    assert judged(material, a, "scorer").right is False
    assert (judged(material, b, "scorer").right, judged(material, b, "scorer").reason) == (
        None,
        "the scorer was not asked",
    )


def test_continuations_are_not_left_to_the_scorer():
    """They were written after it was asked: where people marked an error, a checker decides on them."""
    start = BAD[: BAD.index("4 + 1")]
    material = Material(
        PROMPT,
        (
            response("b", BAD),
            response("c", start + "4 + 1 = 5\nAnswer: 5", origin=Origin.CONTINUATION, parent_id="b"),
        ),
        (Score("c", "verifier", 1.0, Verdict.RIGHT),),
        judgements=(marked("b", (G, W, None), 1, Verdict.WRONG),),
    )
    part = CuratePart(rows=(RowKind.TRAJECTORY,), accept="scorer")
    (found,) = curate([material], part, TERSE)
    assert (found.kept, found.accepted_by) == (True, "verifier")
