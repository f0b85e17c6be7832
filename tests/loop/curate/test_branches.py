"""Alternatives that people rated: which pairs and trajectories come out, by hand."""

from dataclasses import replace

import pytest

from loop.annotate.aggregate import agreed_critique
from loop.curate import Material, corrected_trajectories, refinement_rows, shuffle_verdicts, step_pairs
from loop.curate.material import DISAGREES, FOUND_WRONG, SAME
from loop.curate.samples import CUT
from loop.curate.trajectories import KEEPS_ERROR
from loop.dialects.chat import Chat
from loop.records import (
    Author,
    Branch,
    Critique,
    Mark,
    Message,
    Origin,
    Prompt,
    Response,
    RowKind,
    Score,
    Verdict,
)

CHAT = Chat()
PROMPT = Prompt("p", (Message("user", "Double 2 and 1 more?"),))  # nothing can check it
BAD = "1. 2 * 2 = 4\n2. 4 + 1 = 6\nAnswer: 6"
GOOD, WRONG = Mark.GOOD, Mark.WRONG


def response(name: str, text: str, **more) -> Response:
    return Response(name, "p", text, CHAT.split_steps(text), answer=CHAT.read_answer(text), **more)


def going_on(name: str, prefix: str, tail: str, **more) -> Response:
    return response(name, prefix + tail, origin=Origin.CONTINUATION, parent_id="r", **more)


PREFIX = "1. 2 * 2 = 4\n"
DRAFT = response("r", BAD)
A = going_on("a", PREFIX, "2. 4 + 1 = 5\nAnswer: 5")
B = going_on("b", PREFIX, "2. 4 - 1 = 3\nAnswer: 3")
C = going_on("c", PREFIX, "2. one more is 5\nAnswer: 5")


def critique(*branches: Branch, error: int | None = 1, correction: str = "", name: str = "h") -> Critique:
    marks = (GOOD, WRONG, None) if error == 1 else (GOOD, GOOD, GOOD)
    verdict = Verdict.RIGHT if error is None else Verdict.WRONG
    corrections = {1: correction} if correction else {}
    return Critique(
        name, "r", Author.PERSON, marks, error, verdict, corrections=corrections, branches=branches
    )


def pairs(material: Material) -> list[tuple[str, str, str]]:
    found = step_pairs([material], dialect=CHAT, accept="people")
    assert {c.accepted_by for c in found} == {"people"}
    assert all(c.sources for c in found)
    return [(c.row.prefix, c.row.chosen, c.row.rejected) for c in found if c.kept]


def test_the_chosen_step_stands_over_the_wrong_one_and_over_alternatives_found_wrong():
    said = critique(Branch(1, "a", None, True), Branch(1, "b", WRONG), Branch(1, "c", Mark.NEUTRAL))
    assert pairs(Material(PROMPT, (DRAFT, A, B, C), judgements=(said,))) == [
        (PREFIX, "2. 4 + 1 = 5", "2. 4 + 1 = 6"),
        (PREFIX, "2. 4 + 1 = 5", "2. 4 - 1 = 3"),
    ]


def test_a_step_that_was_picked_and_improved_and_one_rated_good_both_stand_over_the_wrong_ones():
    said = critique(Branch(1, "a", GOOD), Branch(1, "b", WRONG), correction="so 4 + 1 is 5")
    assert pairs(Material(PROMPT, (DRAFT, A, B), judgements=(said,))) == [
        (PREFIX, "2. so 4 + 1 is 5", "2. 4 + 1 = 6"),
        (PREFIX, "2. so 4 + 1 is 5", "2. 4 - 1 = 3"),
        (PREFIX, "2. 4 + 1 = 5", "2. 4 + 1 = 6"),
        (PREFIX, "2. 4 + 1 = 5", "2. 4 - 1 = 3"),
    ]


def test_a_good_step_stands_over_an_alternative_found_wrong():
    said = critique(Branch(1, "b", WRONG), error=None)
    fine = response("r", "1. 2 * 2 = 4\n2. 4 + 1 = 5\nAnswer: 5")
    (pair,) = pairs(Material(PROMPT, (fine, B), judgements=(said,)))
    assert pair == (PREFIX, "2. 4 + 1 = 5", "2. 4 - 1 = 3")


def test_only_steps_on_the_same_prefix_are_compared():
    better = PREFIX + "2. 4 + 1 = 5\n"
    d, e = going_on("d", better, "Answer: 5"), going_on("e", better, "Answer: 7")
    said = critique(
        Branch(2, "d", GOOD), Branch(2, "e", WRONG), Branch(1, "b", WRONG), correction="4 + 1 = 5"
    )
    found = step_pairs([Material(PROMPT, (DRAFT, d, e, B), judgements=(said,))], dialect=CHAT)
    assert [(c.row.prefix, c.row.chosen, c.row.rejected, c.row.ends) for c in found if c.kept] == [
        (PREFIX, "2. 4 + 1 = 5", "2. 4 + 1 = 6", False),
        (better, "Answer: 5", "Answer: 7", True),
        (PREFIX, "2. 4 + 1 = 5", "2. 4 - 1 = 3", False),
    ]


def test_what_goes_on_from_the_wrong_step_trains_nothing():
    kept = going_on("k", PREFIX + "2. 4 + 1 = 6\n", "3. hm\nAnswer: 5")
    said = critique(Branch(2, "k", GOOD))
    material = Material(PROMPT, (DRAFT, kept), judgements=(said,))
    assert KEEPS_ERROR in {c.reason for c in step_pairs([material], dialect=CHAT)}
    assert not any(c.kept for c in corrected_trajectories([material], dialect=CHAT))


def test_an_alternative_that_says_the_same_is_no_better():
    again = going_on("s", PREFIX, "2. 4 + 1  = 6\nAnswer: 5")
    said = critique(Branch(1, "s", GOOD))
    found = step_pairs([Material(PROMPT, (DRAFT, again), judgements=(said,))], dialect=CHAT)
    assert {c.reason for c in found} == {SAME}


def test_the_liked_branch_is_a_sibling_trajectory_without_a_checker():
    said = critique(Branch(1, "a", None, True), Branch(1, "b", WRONG))
    found = corrected_trajectories([Material(PROMPT, (DRAFT, A, B), judgements=(said,))], dialect=CHAT)
    assert {c.response_id: (c.reason, c.accepted_by) for c in found} == {
        "a": ("", "people"),
        "b": (FOUND_WRONG, "people"),
    }
    assert (found[0].row.kind, found[0].row.chosen, found[0].sources) == (
        RowKind.TRAJECTORY,
        A.text,
        ("h",),
    )


@pytest.mark.parametrize(
    ("version", "verdict", "reason"),
    [
        (A, Verdict.RIGHT, ""),
        (A, Verdict.UNKNOWN, ""),
        (A, Verdict.WRONG, DISAGREES),
        (replace(A, finish="length"), Verdict.RIGHT, CUT),
    ],
)
def test_a_branch_the_checker_calls_wrong_or_that_was_cut_is_no_trajectory_but_its_step_still_counts(
    version, verdict, reason
):
    said = critique(Branch(1, "a", GOOD, True))
    scores = (Score("a", "verifier", None, verdict),)
    material = Material(PROMPT, (DRAFT, version), scores, judgements=(said,))
    found = {c.response_id: c.reason for c in corrected_trajectories([material], dialect=CHAT)}
    assert found["a"] == reason
    assert (PREFIX, "2. 4 + 1 = 5", "2. 4 + 1 = 6") in pairs(material)


def test_a_branch_found_wrong_is_not_used_although_the_checker_likes_it():
    said = critique(Branch(1, "a", WRONG))
    material = Material(PROMPT, (DRAFT, A), (Score("a", "verifier", 1.0, Verdict.RIGHT),), judgements=(said,))
    assert not any(c.kept for c in corrected_trajectories([material], dialect=CHAT))
    assert not any(c.kept for c in step_pairs([material], dialect=CHAT))


def test_a_better_way_is_a_trajectory_although_the_response_was_right():
    fine = response("r", "1. 2 * 2 = 4\n2. 4 + 1 = 5\nAnswer: 5")
    said = critique(Branch(1, "c", None, True), error=None)
    (found,) = corrected_trajectories([Material(PROMPT, (fine, C), judgements=(said,))], dialect=CHAT)
    assert (found.kept, found.row.chosen) == (True, C.text)


def test_the_refined_version_is_the_one_people_liked():
    said = critique(Branch(1, "c", None, True))
    right = tuple(Score(r, "verifier", 1.0, Verdict.RIGHT) for r in "ac")
    (found,) = refinement_rows([Material(PROMPT, (DRAFT, A, C), right, judgements=(said,))], dialect=CHAT)
    assert found.row.chosen == C.text


def test_branches_of_those_who_agree_come_together():
    one, two = critique(Branch(1, "a", GOOD), name="h"), critique(Branch(1, "b", WRONG), name="i")
    other = critique(Branch(1, "c", GOOD), error=None, name="j")
    agreed = agreed_critique([one, two, other]).critique
    assert {(b.response_id, b.mark) for b in agreed.branches} == {("a", GOOD), ("b", WRONG)}


def test_the_shuffled_control_learns_nothing_from_branches():
    said = critique(Branch(1, "a", GOOD, True))
    (shuffled,) = shuffle_verdicts([Material(PROMPT, (DRAFT, A), judgements=(said,))], seed=1)
    assert [c.branches for c in shuffled.judgements] == [()]
