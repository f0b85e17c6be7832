"""Two canary readings: by how much floating point may part them, and what is said when weights do."""

import pytest

from loop.finetune.canary import comparable, disagreement, tolerance


def reading(values, device="cpu", dtype="float32", **more):
    return {
        "kind": "logprobs",
        "texts": "t",
        "device": device,
        "dtype": dtype,
        "values": {"a": values},
    } | more


@pytest.mark.parametrize(
    ("one", "other", "allowed"),
    [
        (("cpu", "float32"), ("cpu", "float32"), 1e-3),
        (("cuda", "bfloat16"), ("cuda", "bfloat16"), 0.03),
        (("cpu", "float32"), ("cuda", "float32"), 1e-2),
        (("cpu", "float32"), ("cuda", "bfloat16"), 0.15),
        (("", ""), ("", ""), 0.03),  # a server says neither
    ],
)
def test_how_much_is_rounding_depends_on_where_it_was_taken(one, other, allowed):
    a, b = reading([0.0], *one), reading([0.0], *other)
    assert tolerance(a, b) == tolerance(b, a) == allowed


def test_the_mean_difference_is_what_counts():
    # |−1.0 − −1.001| and |−2.0 − −2.002|: (0.001 + 0.002) / 2 = 0.0015
    before, now = reading([-1.0, -2.0]), reading([-1.001, -2.002])
    assert "0.0015 apart per number, at most 0.001 is rounding" in disagreement(before, now)
    assert "says -1.5015 (cpu, float32) where -1.5000 (cpu, float32) was noted" in disagreement(before, now)
    assert disagreement(before, reading([-1.001, -2.0009])) == ""
    assert disagreement(before, reading([-1.001, -2.002], "cuda")) == ""


def test_a_nan_agrees_with_nothing_not_even_with_no_reading():
    for noted in (reading([-1.0]), {}):
        assert "not a number" in disagreement(noted, reading([float("nan")]))


def test_other_tokens_are_said_and_other_texts_are_not_compared():
    assert "fall into other tokens" in disagreement(reading([-1.0]), reading([-1.0, -1.0]))
    for other in ({}, reading([-9.0], texts="u"), reading([-9.0], kind="rewards")):
        assert not comparable(reading([-1.0]), other)
        assert disagreement(reading([-1.0]), other) == ""
