"""A person's own settings: kept whole, refused in words, never two actions on one key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from webapp.accounts import comfort
from webapp.accounts.comfort import ACTIONS, Comfort, clashes, comfort_of


def test_the_usual_keys_do_not_clash():
    assert clashes({}) == []
    for scope in ("step_critique", "preference", "critique_review"):
        keys = [a.key for a in ACTIONS if a.scope in (scope, "all")]
        also = [k for a in ACTIONS if a.scope in (scope, "all") for k in a.also]
        assert len(set(keys + also)) == len(keys + also)


def test_two_actions_on_one_key_are_refused_in_words():
    with pytest.raises(ValidationError) as caught:
        Comfort(keys={"skip": "n"})
    assert comfort.problems(caught.value) == [
        (
            "n would be both “Next step that is not rated yet” and "
            "“Skip, with a reason: someone else is asked”: change one."
        )
    ]


def test_swapping_two_keys_is_no_clash_nor_is_sharing_one_between_kinds_of_task():
    assert Comfort(keys={"skip": "n", "next_unrated": "s"}).keys == {"skip": "n", "next_unrated": "s"}
    assert Comfort(keys={"tie": "b"})  # b means nothing in a preference


def test_the_usual_key_is_not_stored():
    assert Comfort(keys={"undo": "u", "skip": "S"}).keys == {"skip": "S"}


@pytest.mark.parametrize("key", ["Tab", "Escape", "", "x" * 21, "\n", "Dead"])
def test_keys_that_others_need_are_refused(key):
    with pytest.raises(ValidationError):
        Comfort(keys={"skip": key})


@pytest.mark.parametrize("values", [{"theme": "blue"}, {"font": "huge"}, {"keys": {"fly": "f"}}, {"language": "xx"}, {"a": 1}])  # fmt: skip  # noqa: E501
def test_unknown_settings_are_refused(values):
    with pytest.raises(ValidationError):
        Comfort(**values)


def test_stored_settings_of_another_version_do_not_break_the_page():
    assert comfort_of({"theme": "dark", "gone": 1, "keys": {"fly": "f", "skip": "S"}}).keys == {"skip": "S"}
    assert comfort_of({"theme": "blue"}) == Comfort()


@given(st.dictionaries(st.sampled_from([a.name for a in ACTIONS]), st.sampled_from("abcdefgjkuxUX1234")))
def test_what_is_accepted_has_one_action_per_key(keys):
    try:
        accepted = Comfort(keys=keys)
    except ValidationError:
        assert clashes(keys)
        return
    for scope in ("step_critique", "preference"):
        bound = list(comfort.bindings(accepted.keys, scope).values())
        assert len(set(bound)) == len(bound)


def test_a_further_key_gives_way_to_a_chosen_one():
    caps = {a["name"]: a["caps"] for a in comfort.sheet({"skip": "/"}, ["step_critique"])["step_critique"]}
    assert caps["unsure"] == ["4"]
    assert {a["name"]: a["caps"] for a in comfort.sheet({}, ["all"])["all"]}["submit"] == ["⏎"]
