"""Self-correction from rows, by hand."""

import pytest

from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics.measuring import measured
from webapp.traces.models import Score

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    return make.iteration_make(make.project_make(), seed=1)


def draft(iteration, verdict, *rewrites, text="Answer: 6", prompt=None):
    """A draft and its chain of (verdict, text)."""
    response = make.response_make(
        prompt or make.prompt_make(iteration.project), text, iteration=iteration, verdict=verdict
    )
    parent = response
    for said, words in rewrites:
        parent = make.response_make(
            response.prompt, words, iteration=iteration, verdict=said, origin="refinement", parent=parent
        )
    return response


def found(iteration):
    return measured(iteration, Stage.GENERATE, "Self-correction")


def test_the_matrix_takes_the_last_version_and_lets_unrefined_drafts_stand(iteration):
    draft(iteration, "right")
    draft(iteration, "right", ("wrong", "Answer: 5"))
    draft(iteration, "wrong", ("wrong", "Answer: 7"), ("right", "Answer: 4"))
    draft(iteration, "wrong", ("wrong", "Answer: 6"))
    draft(iteration, "wrong", ("error", "Answer: 8"))
    values = {name: v.value for name, v in found(iteration).items()}
    assert values["acc_1"] == values["acc_2"] == 0.5
    assert values["correction_delta"] == 0
    assert (values["wrong_to_right"], values["right_to_wrong"]) == (0.25, 0.25)
    assert (values["correction_cl"], values["correction_cs"], values["correction_rss"]) == (0.5, 0.5, 0.5)
    # Five rewrites of two words each: one unchanged, four with the number changed.
    assert (values["edit_unchanged"], values["edit_ratio"]) == (0.2, 0.4)
    assert "content_effect" not in values


def test_details_say_what_was_left_out(iteration):
    draft(iteration, "wrong", ("error", "Answer: 8"))
    draft(iteration, "right")
    value = found(iteration)["acc_1"]
    assert (value.value, value.n, value.detail) == (1.0, 1, {"rewritten": 1, "unscored": 1})
    assert found(iteration)["correction_cs"].value is None


def test_the_effect_of_the_words_is_measured_on_the_same_drafts(iteration):
    for worded, bare in (("right", "wrong"), ("right", "right"), ("wrong", "wrong"), ("right", "error")):
        first = draft(iteration, "wrong", (worded, "Answer: 4"))
        control = make.response_make(
            first.prompt, "Answer: 9", iteration=iteration, verdict=bare, origin="refinement", parent=first
        )
        Score.objects.create(response=control, name="content_free")
    values = found(iteration)
    effect = values["content_effect"]
    assert (effect.value, effect.n) == (pytest.approx(1 / 3), 3)
    assert effect.detail == {
        "controls": 4,
        "drafts": 3,
        "critique": pytest.approx(2 / 3),
        "content_free": pytest.approx(1 / 3),
    }
    assert values["acc_2"].value == 0.75  # controls are no versions
    assert values["edit_ratio"].n == 4


def test_an_answer_that_cannot_be_read_is_wrong_where_a_checker_asked(iteration):
    draft(iteration, "unknown", ("right", "Answer: 4"))
    silent = draft(iteration, "unknown", ("right", "Answer: 4"))
    silent.answer = None
    silent.save()
    nobody = make.prompt_make(iteration.project, verifier="")
    hushed = draft(iteration, "unknown", ("unknown", "hm"), prompt=nobody)
    hushed.answer = None
    hushed.save()
    assert (found(iteration)["acc_1"].value, found(iteration)["acc_1"].n) == (0.0, 1)


def test_nothing_is_said_of_a_method_that_does_not_rewrite(iteration):
    assert found(iteration) == {}
    draft(iteration, "right")
    assert found(iteration) == {}
    other = make.iteration_make(iteration.project)
    draft(other, "unknown", ("unknown", "Answer: 4"))
    assert set(found(other)) == {"edit_ratio", "edit_unchanged"}
