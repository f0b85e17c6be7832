"""Outcomes: label, rate, reward and the very sample; partly right responses: what is masked."""

from dataclasses import replace

from loop.curate import Material, curate, funnel, outcome_rows, partial_rows, shuffle_verdicts
from loop.curate.partials import NOTHING_GOOD
from loop.curate.samples import CUT, REPEAT
from loop.recipe_parts import CuratePart
from loop.records import Mark, Origin, RowKind, Score
from tests.loop.curate.test_curate import (
    BAD,
    CHAT,
    FINE,
    PROMPT,
    RIGHT,
    UNKNOWN,
    WRONG,
    person,
    response,
    score,
)


def outcomes(*responses, scores, **more):
    return outcome_rows([Material(PROMPT, responses, tuple(scores), **more)], dialect=CHAT)


def test_the_rate_is_the_share_of_right_ones_among_the_decided_samples():
    drawn = [response(f"r{i}", f"1. way {i}\nAnswer: {i}") for i in range(5)]
    marks = [RIGHT, WRONG, WRONG, WRONG, UNKNOWN]
    found = outcomes(*drawn, scores=[score(r.id, v) for r, v in zip(drawn, marks, strict=True)])
    rows = [c.row for c in found if c.kept]
    assert [(r.label, r.rate, r.reward, r.ends) for r in rows] == [
        (True, 0.25, 1.0, True),
        *[(False, 0.25, 0.0, True)] * 3,
    ]
    assert funnel(found) == {"kept": 4, "the checker could not tell": 1}
    assert {(r.kind, r.messages) for r in rows} == {(RowKind.OUTCOME, CHAT.solve(PROMPT))}


def test_a_text_drawn_often_is_one_row_that_weighs_as_often():
    drawn = [response("a", FINE), response("b", BAD), response("c", FINE + "\n"), response("d", FINE)]
    found = outcomes(*drawn, scores=[score(r.id, WRONG if r.id == "b" else RIGHT) for r in drawn])
    assert [(c.response_id, c.row.weight, c.row.rate) for c in found if c.kept] == [
        ("a", 3.0, 0.75),
        ("b", 1.0, 0.75),
    ]
    assert [c.reason for c in found] == ["", "", REPEAT, REPEAT]


def test_a_row_is_the_sample_itself_where_the_material_has_its_tokens():
    drawn = response("a", FINE + "\n", token_ids=(5, 6, 2), logprobs=(-0.5, -0.1, -0.2))
    (found,) = outcomes(drawn, scores=[Score("a", "verifier", 0.75, RIGHT)])
    row = found.row
    assert (row.token_ids, row.logprobs, row.chosen) == ((5, 6, 2), (-0.5, -0.1, -0.2), FINE + "\n")
    assert row.reward == 0.75


def test_people_decide_label_and_reward():
    a, b = response("a", FINE), response("b", BAD)
    found = outcomes(
        a, b, scores=[Score("a", "verifier", 1.0, RIGHT)], judgements=(person(a, 1), person(b, None, "h2"))
    )
    assert [(c.row.label, c.row.reward, c.accepted_by) for c in found] == [
        (False, 0.0, "people"),
        (True, 1.0, "people"),
    ]


def test_a_refinement_was_sampled_in_another_context():
    draft = response("a", BAD, token_ids=(1,), logprobs=(-1.0,))
    better = response("b", FINE, origin=Origin.REFINEMENT, token_ids=(1,), logprobs=(-1.0,))
    found = outcomes(draft, better, scores=[score("a", WRONG), score("b", RIGHT)])
    assert [(c.row.label, c.row.rate, c.row.token_ids) for c in found] == [
        (False, 0.0, (1,)),
        (True, None, ()),
    ]


def test_a_refinement_does_not_make_the_sample_of_the_same_text_weigh_more():
    drawn = [response("a", FINE), response("b", FINE, origin=Origin.REFINEMENT)]
    found = outcomes(*drawn, scores=[score(r.id, RIGHT) for r in drawn])
    assert [(c.response_id, c.row.weight, c.row.rate) for c in found if c.kept] == [
        ("a", 1.0, 1.0),
        ("b", 1.0, None),
    ]


def test_a_cut_text_may_be_wrong_but_not_right():
    cut = [response(n, t, finish="length") for n, t in (("a", BAD), ("b", FINE))]
    found = outcomes(*cut, scores=[score("a", WRONG), score("b", RIGHT)])
    assert [(c.reason, c.row.ends) for c in found] == [("", False), (CUT, False)]
    assert found[0].row.rate == 0.5


def test_shuffled_labels_keep_their_number_and_go_along_with_rate_and_reward():
    drawn = [response(f"r{i}", f"1. way {i}\nAnswer: {i}") for i in range(12)]
    material = Material(
        PROMPT, tuple(drawn), tuple(Score(r.id, "verifier", float(i < 4), RIGHT if i < 4 else WRONG)
                                    for i, r in enumerate(drawn)),
    )  # fmt: skip
    rows = [c.row for c in outcome_rows(shuffle_verdicts([material], 3), dialect=CHAT, max_per_prompt=20)]
    assert sum(r.label for r in rows) == 4
    assert [r.reward for r in rows] == [float(r.label) for r in rows]
    assert {r.rate for r in rows} == {4 / 12}
    assert [r.label for r in rows] != [i < 4 for i in range(12)]


# ------------------------------------------------------------------------------------------------ partials
def partials(critique, on):
    return partial_rows([Material(PROMPT, (on,), judgements=(critique,))], dialect=CHAT)


def test_the_wrong_step_is_read_but_not_learned():
    bad = response("r", BAD)
    (found,) = partials(person(bad, 1), bad)
    row = found.row
    assert (row.chosen, row.ends, row.kind) == ("1. 2 * 2 = 4\n2. 4 + 1 = 6", False, RowKind.PARTIAL)
    assert [row.chosen[a:b] for a, b in row.masked] == ["2. 4 + 1 = 6"]
    assert (found.accepted_by, found.sources) == ("people", ("h1",))


def test_a_step_nobody_found_good_is_masked_too():
    bad = response("r", BAD)
    unsure = replace(person(bad, 2), marks=(Mark.GOOD, None, Mark.WRONG))
    (found,) = partials(unsure, bad)
    assert [found.row.chosen[a:b] for a, b in found.row.masked] == ["2. 4 + 1 = 6", "Answer: 6"]


def test_an_error_in_the_first_step_leaves_nothing_to_learn():
    bad = response("r", BAD)
    (found,) = partials(person(bad, 0), bad)
    assert (found.row, found.reason) == (None, NOTHING_GOOD)


def test_a_response_without_error_is_no_partial():
    fine = response("r", FINE)
    assert partials(person(fine, None), fine) == []


def test_a_recipe_names_them():
    bad = response("r", BAD)
    material = Material(PROMPT, (bad,), (score("r", WRONG),), judgements=(person(bad, 1),))
    found = curate([material], CuratePart(rows=(RowKind.OUTCOME, RowKind.PARTIAL)), CHAT)
    assert [(c.kind, c.kept) for c in found] == [(RowKind.OUTCOME, True), (RowKind.PARTIAL, True)]
