"""Curation: which rows come out, why others do not, and that nothing leaks."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.aggregate import NOBODY, TIE
from loop.curate import (
    LeakError,
    Material,
    accepted_samples,
    corrected_trajectories,
    critique_rows,
    curate,
    funnel,
    preference_pairs,
    refinement_rows,
    shuffle_verdicts,
    step_pairs,
    with_scorer_verdicts,
)
from loop.curate.critiques import DISAGREES, NO_BETTER
from loop.curate.material import SAME
from loop.curate.samples import CUT, REPEAT
from loop.curate.trajectories import NO_CORRECTION
from loop.dialects.chat import Chat
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
    Split,
    Verdict,
)

CHAT = Chat()
PROMPT = Prompt("p", (Message("user", "Double 2 and 1 more?"),), reference="5", verifier="math_answer")
BAD = "1. 2 * 2 = 4\n2. 4 + 1 = 6\nAnswer: 6"
FINE = "1. 2 * 2 = 4\n2. 4 + 1 = 5\nAnswer: 5"
RIGHT, WRONG, UNKNOWN, ERROR = Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN, Verdict.ERROR


def response(name: str, text: str, **more) -> Response:
    return Response(name, "p", text, CHAT.split_steps(text), answer=CHAT.read_answer(text), **more)


def score(name: str, verdict: Verdict, called: str = "verifier") -> Score:
    return Score(name, called, None, verdict)


def person(on: Response, first_error: int | None, name: str = "h1", correction: str = "") -> Critique:
    good = len(on.steps) if first_error is None else first_error
    marks = tuple(
        Mark.GOOD if i < good else Mark.WRONG if i == first_error else None for i in range(len(on.steps))
    )
    return Critique(
        name,
        on.id,
        Author.PERSON,
        marks,
        first_error,
        RIGHT if first_error is None else WRONG,
        corrections={first_error: correction} if correction else {},
    )


def reasons(candidates) -> dict[str, str]:
    return {c.response_id: c.reason for c in candidates}


def test_the_critic_learns_nothing_from_a_critique_with_an_unsure_step():
    draft = response("r", "1. 2 + 2 = 4\n2. 4 + 1 = 6\nAnswer: 6")
    unsure = replace(person(draft, 1), marks=(None, Mark.WRONG, None))
    (found,) = critique_rows([Material(PROMPT, (draft,), judgements=(unsure,))], dialect=CHAT)
    assert found.reason == "a step that had to be judged was left unsure"


# ------------------------------------------------------------------------------------ accepted samples
def test_forty_samples_of_which_twelve_differ_and_are_right_give_ten_rows():
    right = [response(f"r{i}", f"1. way {i % 12}\n2. so\nAnswer: 5") for i in range(25)]
    wrong = [response(f"w{i}", f"1. way {i}\n2. so\nAnswer: 6") for i in range(15)]
    scores = [score(r.id, RIGHT) for r in right] + [score(r.id, WRONG) for r in wrong]
    found = accepted_samples([Material(PROMPT, (*right, *wrong), tuple(scores))], dialect=CHAT)
    assert funnel(found) == {
        "kept": 10,
        "the checker says wrong": 15,
        REPEAT: 13,
        "more than 10 accepted samples for this prompt": 2,
    }
    assert [c.response_id for c in found if c.kept] == [f"r{i}" for i in range(10)]


def test_a_row_is_the_prompt_as_the_dialect_words_it_and_the_response():
    (found,) = accepted_samples(
        [Material(PROMPT, (response("r", FINE + "\n"),), (score("r", RIGHT),))], dialect=CHAT
    )
    assert found.row.messages == CHAT.solve(PROMPT)
    assert (found.row.chosen, found.row.ends, found.row.kind) == (FINE, True, RowKind.SAMPLE)
    assert (found.accepted_by, found.response_id) == ("verifier", "r")


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (WRONG, "the checker says wrong"),
        (UNKNOWN, "the checker could not tell"),
        (ERROR, "the checker failed"),
        (None, "not checked"),
    ],
)
def test_only_a_right_verdict_accepts(verdict, reason):
    scores = () if verdict is None else (score("r", verdict),)
    assert reasons(accepted_samples([Material(PROMPT, (response("r", FINE),), scores)], dialect=CHAT)) == {
        "r": reason
    }


def test_people_overrule_the_checker_both_ways():
    a, b = response("a", FINE), response("b", BAD)
    material = Material(
        PROMPT,
        (a, b),
        (score("a", RIGHT), score("b", WRONG)),
        judgements=(person(a, 1), person(b, None, "h2")),
    )
    found = accepted_samples([material], dialect=CHAT)
    assert reasons(found) == {"a": "a person found it wrong", "b": ""}
    assert [(c.accepted_by, c.sources) for c in found] == [("people", ("h1",)), ("people", ("h2",))]


def test_people_who_disagree_decide_nothing():
    a = response("a", FINE)
    material = Material(PROMPT, (a,), (score("a", RIGHT),), judgements=(person(a, 1), person(a, None, "h2")))
    assert reasons(accepted_samples([material], dialect=CHAT)) == {"a": TIE}


def test_accept_self_verdict_reads_only_the_models_own_verdict():
    a, b, c = response("a", FINE), response("b", BAD), response("c", FINE + " ")
    scores = (
        score("a", WRONG),
        score("a", RIGHT, "self_verdict"),
        score("b", RIGHT),
        score("b", WRONG, "self_verdict"),
        score("c", RIGHT),
    )
    found = accepted_samples([Material(PROMPT, (a, b, c), scores)], dialect=CHAT, accept="self_verdict")
    assert reasons(found) == {
        "a": "",
        "b": "the model itself calls it wrong",
        "c": "not a final version: the model gave no verdict on it",
    }


def test_accept_people_needs_people():
    material = Material(PROMPT, (response("a", FINE),), (score("a", RIGHT),))
    assert reasons(accepted_samples([material], dialect=CHAT, accept="people")) == {"a": NOBODY}


def test_a_text_cut_off_never_teaches_where_to_stop():
    material = Material(PROMPT, (response("a", FINE, finish="length"),), (score("a", RIGHT),))
    assert reasons(accepted_samples([material], dialect=CHAT)) == {"a": CUT}


def test_when_the_cap_bites_peoples_acceptances_come_first():
    a, b = response("a", FINE), response("b", "1. 2 + 2 = 4\n2. 4 + 1 = 5\nAnswer: 5")
    material = Material(PROMPT, (a, b), (score("a", RIGHT), score("b", RIGHT)), judgements=(person(b, None),))
    found = accepted_samples([material], dialect=CHAT, max_per_prompt=1)
    assert [c.response_id for c in found if c.kept] == ["b"]


# ------------------------------------------------------------------------------- from a marked first error
def continued(name: str, tail: str, parent: str = "r") -> Response:
    return response(name, "1. 2 * 2 = 4\n" + tail, origin=Origin.CONTINUATION, parent_id=parent)


def test_accepted_continuations_of_the_good_prefix_are_whole_trajectories():
    bad = response("r", BAD)
    good, worse = continued("c1", "2. 4 + 1 = 5\nAnswer: 5"), continued("c2", "2. 4 - 1 = 3\nAnswer: 3")
    same, off = continued("c3", "2. 4 + 1  = 5\nAnswer: 5"), response("c4", FINE, origin=Origin.CONTINUATION)
    material = Material(
        PROMPT,
        (bad, good, worse, same, off),
        tuple(score(r.id, RIGHT if r.answer == "5" else WRONG) for r in (good, worse, same, off)),
        judgements=(person(bad, 1, correction="4 + 1 = 5"),),
    )
    found = corrected_trajectories([material], dialect=CHAT)
    assert reasons(found) == {"c1": "", "c2": "the checker says wrong", "c3": REPEAT}
    row = found[0].row
    assert (row.kind, row.chosen, row.prefix, row.ends) == (RowKind.TRAJECTORY, FINE, "", True)
    assert found[0].sources == ("h1",)


def test_without_a_continuation_the_corrected_step_is_trained_on_the_good_prefix():
    bad = response("r", BAD)
    (found,) = corrected_trajectories(
        [Material(PROMPT, (bad,), judgements=(person(bad, 1, correction="4 + 1 = 5"),))], dialect=CHAT
    )
    assert found.kept
    assert found.row.prefix == "1. 2 * 2 = 4\n"
    assert found.row.chosen == "2. 4 + 1 = 5"  # the step's number is put back
    assert found.row.ends is False


def test_a_corrected_last_step_that_states_the_answer_ends():
    bad = response("r", "1. 2 * 2 = 4\n2. 4 + 1 = 5\nAnswer: 6")
    (found,) = corrected_trajectories(
        [Material(PROMPT, (bad,), judgements=(person(bad, 2, correction="Answer: 5"),))], dialect=CHAT
    )
    assert (found.row.prefix, found.row.chosen, found.row.ends) == (
        "1. 2 * 2 = 4\n2. 4 + 1 = 5\n",
        "Answer: 5",
        True,
    )


def test_a_mark_without_a_correction_or_continuation_gives_nothing():
    bad = response("r", BAD)
    material = Material(PROMPT, (bad,), judgements=(person(bad, 1),))
    for rows in (corrected_trajectories, step_pairs):
        (found,) = rows([material], dialect=CHAT)
        assert (found.reason, found.row) == (NO_CORRECTION, None)


def test_a_persons_own_rewrite_needs_no_checker():
    bad, mine = response("r", BAD), response("m", FINE, origin=Origin.CORRECTION, parent_id="r")
    found = corrected_trajectories(
        [Material(PROMPT, (bad, mine), judgements=(person(bad, 1),))], dialect=CHAT
    )
    assert [(c.row.chosen, c.accepted_by) for c in found] == [(FINE, "people")]


def test_a_step_pair_shares_the_good_prefix_and_an_inner_step_never_ends():
    bad = response("r", BAD)
    (found,) = step_pairs(
        [Material(PROMPT, (bad,), judgements=(person(bad, 1, correction="4 + 1 = 5"),))], dialect=CHAT
    )
    row = found.row
    assert (row.prefix, row.chosen, row.rejected) == ("1. 2 * 2 = 4\n", "2. 4 + 1 = 5", "2. 4 + 1 = 6")
    assert (row.ends, row.kind) == (False, RowKind.STEP_PAIR)
    assert row.messages == CHAT.solve(PROMPT)
    assert (row.prefix + row.rejected) == BAD[: len(row.prefix + row.rejected)]


@pytest.mark.parametrize(("finish", "ends"), [("stop", True), ("length", False)])
def test_a_step_pair_of_answers_ends_unless_the_worse_one_was_cut(finish, ends):
    bad = response("r", "1. 2 * 2 = 4\n2. 4 + 1 = 5\nAnswer: 6", finish=finish)
    (found,) = step_pairs(
        [Material(PROMPT, (bad,), judgements=(person(bad, 2, correction="Answer: 5"),))], dialect=CHAT
    )
    assert (found.row.chosen, found.row.rejected, found.row.ends) == ("Answer: 5", "Answer: 6", ends)


def test_without_a_correction_the_step_of_accepted_continuations_is_the_better_one():
    bad = response("r", BAD)
    good, worse = continued("c1", "2. 4 + 1 = 5\nAnswer: 5"), continued("c2", "2. 4 - 1 = 3\nAnswer: 3")
    material = Material(
        PROMPT, (bad, good, worse), (score("c1", RIGHT), score("c2", WRONG)), judgements=(person(bad, 1),)
    )
    (found,) = step_pairs([material], dialect=CHAT)
    assert (found.row.chosen, found.row.rejected, found.accepted_by) == (
        "2. 4 + 1 = 5",
        "2. 4 + 1 = 6",
        "verifier",
    )


def test_a_correction_that_changes_nothing_is_no_pair():
    bad = response("r", BAD)
    found = step_pairs(
        [Material(PROMPT, (bad,), judgements=(person(bad, 1, correction="4 + 1  = 6"),))], dialect=CHAT
    )
    assert [c.reason for c in found] == [SAME]


# ---------------------------------------------------------------------------------------- preferences
def test_accepted_over_refused_pairs_are_varied_and_capped():
    right = [response(f"r{i}", f"1. way {i}\n2. so\nAnswer: 5") for i in range(2)]
    wrong = [response(f"w{i}", f"1. way {i}\n2. so\nAnswer: 6") for i in range(3)]
    scores = [score(r.id, RIGHT) for r in right] + [score(r.id, WRONG) for r in wrong]
    material = Material(PROMPT, (*right, *wrong), tuple(scores))
    found = preference_pairs([material], dialect=CHAT)
    assert [(c.row.chosen[-1], c.row.rejected[-1]) for c in found] == [("5", "6")] * 3
    assert Counter(c.response_id for c in found) == {"r0": 2, "r1": 1}
    assert len(preference_pairs([material], dialect=CHAT, max_per_prompt=2)) == 2


def test_one_sided_prompts_say_so():
    material = Material(PROMPT, (response("a", FINE),), (score("a", RIGHT),))
    assert funnel(preference_pairs([material], dialect=CHAT)) == {"no refused response to compare with": 1}


def preference(winner: int | None, name: str = "f1", ids=("a", "b", "c"), **more) -> Preference:
    return Preference(name, "p", ids, winner, Author.PERSON, **more)


def test_how_much_better_people_find_it_becomes_a_chance_where_the_recipe_asks_for_it():
    responses = (response("a", FINE), response("b", BAD))
    said = [(0, 1 / 3), (0, 2 / 3), (1, 1.0)]  # two agree: slightly better, clearly better
    people = tuple(
        Preference(f"h{i}", "p", ("a", "b"), winner, Author.PERSON, strength=much)
        for i, (winner, much) in enumerate(said)
    )
    material = Material(PROMPT, responses, preferences=people)
    part = CuratePart(rows=(RowKind.PREFERENCE,), accept="people")
    for soft, target in ((True, 0.75), (False, 1.0)):
        found = curate([material], part.model_copy(update={"soft_targets": soft}), CHAT)
        (row,) = [c.row for c in found if c.kept]
        assert (row.chosen, row.target) == (FINE, pytest.approx(target))


def test_a_persons_preference_beats_each_of_the_others():
    responses = tuple(response(n, f"1. {n}\n2. so\nAnswer: 5") for n in "abc")
    found = preference_pairs([Material(PROMPT, responses, preferences=(preference(1),))], dialect=CHAT)
    kept = [(c.row.chosen[3], c.row.rejected[3], c.accepted_by, c.sources) for c in found if c.kept]
    assert kept == [("b", "a", "people", ("f1",)), ("b", "c", "people", ("f1",))]


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ((preference(None),), "people call it a tie"),
        ((preference(None, all_bad=True),), "people call all of them bad"),
        ((preference(0), preference(1, "f2")), TIE),
        # the same three in another order: b wins both times, as index 1 and as index 0
        ((preference(1), preference(0, "f2", ("b", "c", "a")), preference(2, "f3")), ""),
    ],
)
def test_preferences_are_aggregated(given_, reason):
    responses = tuple(response(n, f"1. {n}\n2. so\nAnswer: 5") for n in "abc")
    found = preference_pairs([Material(PROMPT, responses, preferences=given_)], dialect=CHAT, accept="people")
    assert reason in {c.reason for c in found}
    if not reason:
        assert {c.row.chosen[3] for c in found if c.kept} == {"b"}


@pytest.mark.parametrize(
    ("given_", "pairs"),
    [
        ((preference(1, ranking=((1,), (2,), (0,))),), {"ba", "bc", "ca"}),
        ((preference(None, ranking=((0, 1), (2,))),), {"ac", "bc"}),  # tied at the top, yet c is worse
        ((preference(None, ranking=((0, 1, 2),)),), set()),
        ((preference(None, all_bad=True, ranking=((0,), (1, 2))),), set()),
        # both prefer b; only one ranks the rest; then both do, each otherwise
        ((preference(1), preference(1, "f2", ranking=((1,), (2,), (0,)))), {"ba", "bc", "ca"}),
        (
            (preference(1, ranking=((1,), (0,), (2,))), preference(1, "f2", ranking=((1,), (2,), (0,)))),
            {"ba", "bc"},
        ),
    ],
)
def test_a_ranking_says_more_than_its_winner(given_, pairs):
    responses = tuple(response(n, f"1. {n}\n2. so\nAnswer: 5") for n in "abc")
    found = preference_pairs([Material(PROMPT, responses, preferences=given_)], dialect=CHAT, accept="people")
    assert {c.row.chosen[3] + c.row.rejected[3] for c in found if c.kept} == pairs


# ------------------------------------------------------------------------------- critiques and refinements
def test_a_persons_critique_becomes_what_the_model_should_have_said():
    bad = response("r", BAD)
    material = Material(
        PROMPT, (bad,), (score("r", WRONG),), judgements=(person(bad, 1, correction="4 + 1 = 5"),)
    )
    (found,) = critique_rows([material], dialect=CHAT)
    assert found.kept
    assert found.row.messages == CHAT.critique(PROMPT, bad)
    assert found.row.chosen == "Step 1: correct\nStep 2: wrong\nCorrection: 4 + 1 = 5\nVerdict: wrong"
    assert CHAT.read_critique(found.row.chosen, bad).first_error == 1


@pytest.mark.parametrize(("checked", "reason"), [(RIGHT, DISAGREES), (WRONG, ""), (UNKNOWN, ""), (ERROR, "")])
def test_a_critique_that_contradicts_a_decided_checker_is_dropped(checked, reason):
    bad = response("r", BAD)
    material = Material(PROMPT, (bad,), (score("r", checked),), judgements=(person(bad, 1),))
    assert reasons(critique_rows([material], dialect=CHAT)) == {"r": reason}


def test_the_majority_speaks_and_a_tie_is_dropped():
    bad = response("r", BAD)
    three = (person(bad, 1, "h1"), person(bad, 0, "h2"), person(bad, 1, "h3", correction="4 + 1 = 5"))
    (found,) = critique_rows([Material(PROMPT, (bad,), judgements=three)], dialect=CHAT)
    assert "Step 2: wrong\nCorrection: 4 + 1 = 5" in found.row.chosen
    assert found.sources == ("h1", "h2", "h3")
    (found,) = critique_rows([Material(PROMPT, (bad,), judgements=three[:2])], dialect=CHAT)
    assert (found.row, found.reason) == (None, TIE)


def test_a_refinement_row_leads_from_the_critique_to_an_accepted_version():
    bad, good = response("r", BAD), continued("c1", "2. 4 + 1 = 5\nAnswer: 5")
    judgement = person(bad, 1)
    material = Material(PROMPT, (bad, good), (score("c1", RIGHT),), judgements=(judgement,))
    (found,) = refinement_rows([material], dialect=CHAT)
    assert (found.row.chosen, found.response_id) == (FINE, "c1")
    assert "Step 2: wrong" in found.row.messages[-1].content
    assert found.row.messages[-2].content == BAD


def test_the_models_own_refinement_serves_when_it_is_accepted():
    bad, child = response("r", BAD), response("n", FINE, origin=Origin.REFINEMENT, parent_id="r")
    for verdict, kept in ((RIGHT, True), (WRONG, False)):
        material = Material(PROMPT, (bad, child), (score("n", verdict),), judgements=(person(bad, 1),))
        (found,) = refinement_rows([material], dialect=CHAT)
        assert found.kept is kept
        assert found.reason == ("" if kept else NO_BETTER)


# ----------------------------------------------------------------------------------------------- whole
@pytest.mark.parametrize("split", [Split.HELDOUT, Split.PROBE])
def test_nothing_can_be_built_from_a_prompt_that_is_not_for_training(split):
    with pytest.raises(LeakError, match=split.value):
        Material(replace(PROMPT, split=split))


def test_curate_builds_every_kind_a_recipe_names():
    bad, good = response("r", BAD), continued("c1", "2. 4 + 1 = 5\nAnswer: 5")
    material = Material(
        PROMPT,
        (bad, good, response("s", FINE + "\n\n")),
        (score("r", WRONG), score("c1", RIGHT), score("s", RIGHT)),
        critiques=(
            Critique("m1", "r", Author.MODEL, (), 1, WRONG, text="a"),
            Critique("m2", "r", Author.MODEL, (), None, RIGHT, text="b"),
        ),
        judgements=(person(bad, 1, correction="4 + 1 = 5"),),
        critique_preferences=(Preference("f", "p", ("r",), 0, Author.PERSON, critique_ids=("m1", "m2")),),
    )
    found = curate([material], CuratePart(rows=tuple(RowKind)), CHAT)
    twice = {RowKind.OUTCOME: 2, RowKind.JUDGEMENT: 2}  # a right and a wrong one; both orders
    assert Counter(c.kind for c in found if c.kept) == dict.fromkeys(RowKind, 1) | twice
    assert all(c.kept or c.reason for c in found)


@st.composite
def materials(draw) -> list[Material]:
    found = []
    for p in range(draw(st.integers(1, 5))):
        prompt = replace(PROMPT, id=f"p{p}")
        texts = draw(st.lists(st.sampled_from([BAD, FINE, "1. a\n2. b", "x", ""]), max_size=4))
        responses = tuple(replace(response(f"p{p}r{i}", t), prompt_id=prompt.id) for i, t in enumerate(texts))
        scores = tuple(score(r.id, draw(st.sampled_from(list(Verdict)))) for r in responses)
        judged = [r for r in responses if r.steps and draw(st.booleans())]
        judgements = tuple(
            person(
                r,
                draw(st.none() | st.integers(0, len(r.steps) - 1)),
                f"h{r.id}",
                draw(st.sampled_from(["", "z"])),
            )
            for r in judged
        )
        ids = tuple(r.id for r in responses)
        preferences = (Preference(f"f{p}", prompt.id, ids, 0, Author.PERSON),) if len(ids) > 1 else ()
        found.append(Material(prompt, responses, scores, (), judgements, preferences))
    return found


@given(materials(), st.integers(0, 5))
def test_shuffling_keeps_the_rates_and_is_reproducible(given_, seed):
    shuffled = shuffle_verdicts(given_, seed)
    assert shuffled == shuffle_verdicts(given_, seed)

    def rates(of):
        return (
            Counter(s.verdict for m in of for s in m.scores),
            Counter(c.verdict for m in of for c in m.judgements),
            Counter(c.first_error is None for m in of for c in m.judgements),
        )

    assert rates(shuffled) == rates(given_)
    for before, after in zip(given_, shuffled, strict=True):
        assert (after.prompt, after.responses) == (before.prompt, before.responses)
        assert [s.response_id for s in after.scores] == [s.response_id for s in before.scores]
        assert [(c.id, c.response_id) for c in after.judgements] == [
            (c.id, c.response_id) for c in before.judgements
        ]
        for c in after.judgements:
            assert len(c.marks) == len(after.response(c.response_id).steps)
            assert c.first_error is None or c.first_error < len(c.marks)


def test_shuffling_does_change_who_is_right():
    responses = tuple(response(f"r{i}", FINE) for i in range(40))
    scores = tuple(score(r.id, RIGHT if i < 20 else WRONG) for i, r in enumerate(responses))
    (shuffled,) = shuffle_verdicts([Material(PROMPT, responses, scores)], 7)
    moved = sum(a.verdict != b.verdict for a, b in zip(scores, shuffled.scores, strict=True))
    assert 8 <= moved <= 32


@given(materials(), st.sampled_from(["verifier", "self_verdict", "people", "scorer"]), st.integers(1, 3))
def test_every_candidate_is_kept_with_a_row_or_dropped_with_a_reason(given_, accept, limit):
    part = CuratePart(rows=tuple(RowKind), accept=accept, max_per_prompt=limit)
    for source in (given_, shuffle_verdicts(given_, 1)):
        found = curate(source, part, CHAT)
        assert all((c.row is not None and not c.reason) == c.kept and (c.kept or c.reason) for c in found)
        assert sum(funnel(found).values()) == len(found)
        for kind in RowKind:
            per_prompt = Counter(c.prompt_id for c in found if c.kept and c.kind is kind)
            orders = 2 if kind is RowKind.JUDGEMENT else 1  # a pair is shown both ways
            assert all(n <= limit * orders for n in per_prompt.values())
        for c in found:
            if c.kept and c.row.rejected is not None:
                assert c.row.chosen.split() != c.row.rejected.split()


def test_the_funnel_reads_well():
    material = Material(
        PROMPT, (response("a", FINE), response("b", BAD)), (score("a", RIGHT), score("b", WRONG))
    )
    counts = funnel(accepted_samples([material], dialect=CHAT))
    assert json.dumps(counts) == '{"kept": 1, "the checker says wrong": 1}'


def test_a_control_can_be_held_to_as_many_right_verdicts_as_the_arm_it_controls():
    texts = [f"1. step {i}\nAnswer: {i}" for i in range(10)]
    responses = tuple(response(str(i), text) for i, text in enumerate(texts))
    scores = tuple(Score(r.id, "verifier", 1.0, Verdict.RIGHT) for r in responses[:6]) + tuple(
        Score(r.id, "verifier", 0.0, Verdict.WRONG) for r in responses[6:]
    )
    dealt = shuffle_verdicts([Material(PROMPT, responses, scores)], seed=3, rows=2)[0].scores
    assert Counter(s.verdict for s in dealt) == {Verdict.RIGHT: 2, Verdict.UNKNOWN: 4, Verdict.WRONG: 4}
    assert all(s.value is None for s in dealt if s.verdict is Verdict.UNKNOWN)


def test_a_control_deals_rankings_and_what_checkers_compare_with_out_too():
    ids = ("a", "b", "c")
    ranked = [Preference(f"h{i}", "p", ids, 0, Author.PERSON, ranking=((0,), (1,), (2,))) for i in range(60)]
    tied = Preference("t", "p", ids, None, Author.PERSON, ranking=((0, 1), (2,)))
    given_ = [Material(PROMPT, preferences=(*ranked, tied))]
    given_ += [
        Material(replace(PROMPT, id=f"p{i}", reference=str(i), verifier=name))
        for i, name in enumerate(["math_answer"] * 20 + ["exact"] * 2 + [""])
    ]
    dealt, *others = shuffle_verdicts(given_, 4)
    for p in dealt.preferences:
        assert sorted(i for group in p.ranking for i in group) == [0, 1, 2]
        assert p.winner is None or p.ranking[0] == (p.winner,)
    assert len({p.ranking for p in dealt.preferences if p.winner is not None}) == 6  # every order comes up
    before, after = [m.prompt for m in given_], [m.prompt for m in (dealt, *others)]
    for name in ("math_answer", "exact"):
        mine = [[p.reference for p in of if p.verifier == name] for of in (before, after)]
        assert sorted(mine[0]) == sorted(mine[1])
    assert sum(a.reference != b.reference for a, b in zip(before, after, strict=True)) > 10
    assert [p.messages for p in after] == [p.messages for p in before]
    assert after[-1] == before[-1]


def test_a_control_of_what_a_scorer_accepts_is_held_to_as_many_rows():
    responses = [response(f"r{i}", f"1. step {i}\nAnswer: {i}") for i in range(10)]
    scores = tuple(Score(r.id, "process_reward", i / 10) for i, r in enumerate(responses))
    part = CuratePart(rows=(RowKind.SAMPLE,), accept="scorer", threshold=0.5)
    whole = [with_scorer_verdicts(Material(PROMPT, tuple(responses), scores), part.threshold)]
    kept = [c.response_id for c in curate(whole, part, CHAT) if c.kept]
    assert kept == ["r5", "r6", "r7", "r8", "r9"]
    dealt = [c.response_id for c in curate(shuffle_verdicts(whole, 3, rows=3), part, CHAT) if c.kept]
    assert len(dealt) == 3
    assert not set(dealt) <= set(kept)
