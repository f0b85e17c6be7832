"""Alarms as rows: looked through when a stage was measured, told once, holding the gate where so set."""

import pytest

from loop.evaluate.metric import Value
from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics import fake
from webapp.iterations.models import Iteration
from webapp.iterations.services import unit_claim
from webapp.iterations.services.deciding import decision_write
from webapp.iterations.services.measures import measuring_plan
from webapp.metrics import services
from webapp.metrics.alarms_page import alarms_of, open_alarms, rules_of
from webapp.metrics.models import Alarm, AlarmRule, MetricValue
from webapp.metrics.services import (
    AlarmRefused,
    alarm_seen,
    alarms_evaluate,
    reasons_to_hold,
    rule_change,
    rule_reset,
    stage_measure,
)
from webapp.projects.models import AuditEvent, Role
from webapp.registry.models import Promotion
from webapp.registry.services import base_register, model_register

pytestmark = pytest.mark.django_db

LOST = {"forgetting": (0.06, 0.03, 0.09)}
UNFILTERED = {
    "samples_right": (0.5, 0.46, 0.54),
    "kept_gain": (0.0, -0.01, 0.01),
    "gv_gap:self_verdict": (0.0, 0.0, 0.0),
}
RECIPE = {"curate": {"accept": "self_verdict", "rows": ["sample"]}, "method": "unfiltered", "settings": {}}


@pytest.fixture
def project():
    return make.project_make()


@pytest.fixture
def lead(project):
    return make.member_make(project, role=Role.LEAD)


def iteration_with(project, values=LOST, **more):
    iteration = make.iteration_make(project, recipe=RECIPE, **more)
    measure(iteration, **values)
    return iteration


def measure(iteration, **values):
    MetricValue.objects.filter(iteration=iteration, name__in=values).delete()
    MetricValue.objects.bulk_create(
        [
            MetricValue(
                project=iteration.project, iteration=iteration, name=name, value=v, low=low, high=high, n=300
            )
            for name, (v, low, high) in values.items()
        ]
    )


def keys(iteration):
    return [alarm.key for alarm in iteration.alarms.order_by("id")]


def test_an_alarm_keeps_what_it_read(project):
    (alarm,) = alarms_evaluate(iteration=iteration_with(project))
    assert (alarm.key, alarm.level, alarm.metric, alarm.held) == ("forgetting", "bad", "forgetting", False)
    alarm.refresh_from_db()
    said = "On the probe prompts the challenger is {lost} below the best earlier version."
    assert alarm.facts == {
        "limit": 0.02,
        "unit": "points",
        "values": {"forgetting": [0.06, 0.03, 0.09, 300]},
        "said": [[said, {"lost": ["points", 0.06, 0.03, 0.09]}]],
    }


def test_what_the_recipe_accepts_by_decides_which_gap_is_read(project):
    iteration = iteration_with(project, UNFILTERED)
    alarms_evaluate(iteration=iteration)
    assert keys(iteration) == ["filter_idle"]
    assert "gv_gap:self_verdict" in iteration.alarms.get().facts["values"]


def test_a_repeat_writes_nothing_new_and_follows_the_figures(project):
    told = []
    services.alarms.alarm_fired.connect(
        lambda alarm, **_: told.append(alarm.key), weak=False, dispatch_uid="t"
    )
    iteration = iteration_with(project)
    for _ in range(2):
        alarms_evaluate(iteration=iteration)
    measure(iteration, forgetting=(0.2, 0.1, 0.3))
    alarms_evaluate(iteration=iteration)
    services.alarms.alarm_fired.disconnect(dispatch_uid="t")
    assert told == ["forgetting"]
    assert "20.0 points" in iteration.alarms.get().text


def test_an_alarm_that_no_longer_holds_is_taken_back_unless_dealt_with(project, lead):
    first, second = iteration_with(project), iteration_with(project)
    for iteration in (first, second):
        alarms_evaluate(iteration=iteration)
    assert alarm_seen(alarm=first.alarms.get(), note="replayed the probe", by=lead)
    for iteration in (first, second):
        measure(iteration, forgetting=(0.0, -0.01, 0.01))
        assert alarms_evaluate(iteration=iteration) == []
    assert (keys(first), keys(second)) == (["forgetting"], [])


def test_earlier_main_iterations_are_the_history(project):
    alike = {"pass_at_1": (0.5, 0.49, 0.51), "pass_at_k": (0.9, 0.89, 0.91)}
    iteration_with(project, alike)
    iteration_with(project, {"pass_at_1": (0.1, 0.1, 0.1), "pass_at_k": (0.1, 0.1, 0.1)}, arm="shuffled")
    iteration_with(project, {"pass_at_1": (0.6, 0.59, 0.61), "pass_at_k": (0.86, 0.85, 0.87)})
    last = iteration_with(project, {"pass_at_1": (0.7, 0.69, 0.71), "pass_at_k": (0.8, 0.79, 0.81)})
    alarms_evaluate(iteration=last)
    assert keys(last) == ["diversity_loss"]


def test_a_slow_collapse_is_measured_against_the_start_however_long_ago(project):
    """Far from the first, which is out of sight, and 0.68 of it: below 0.7. The tenth before it is poorer."""
    flat, near = (0.0, -0.01, 0.01), lambda v: (v, v - 0.01, v + 0.01)
    iteration_with(project, {"champion_distinct_2": near(0.5)})
    for distinct in (*[0.4] * 11, 0.3):
        poorer = {"champion_distinct_2": near(0.35), "challenger_distinct_2": near(distinct)}
        iteration_with(project, poorer | {"heldout_gain": flat})
    last = iteration_with(project, {"challenger_distinct_2": near(0.3), "heldout_gain": flat})
    assert last.number == 14
    alarms_evaluate(iteration=last)
    assert keys(last) == ["collapse"]
    assert "started from (0.50 (95 % 0.49 to 0.51))" in last.alarms.get().text


def test_what_an_earlier_iteration_is_measured_to_be_changes_later_alarms(project):
    first, second, third = (
        iteration_with(project, {"pass_at_1": (one, one, one), "pass_at_k": (k, k, k)})
        for one, k in ((0.8, 0.9), (0.6, 0.86), (0.7, 0.8))
    )
    alarms_evaluate(iteration=third)
    assert keys(third) == []
    measure(first, pass_at_1=(0.5, 0.5, 0.5))  # pass@1 rose twice, after all
    alarms_evaluate(iteration=first)
    assert (keys(second), keys(third)) == ([], ["diversity_loss"])
    measure(second, pass_at_k=(0.8, 0.8, 0.8))
    alarms_evaluate(iteration=second)
    assert keys(third) == []


def test_a_control_arm_never_alarms(project):
    iteration = iteration_with(project, arm="shuffled")
    assert alarms_evaluate(iteration=iteration) == []


def test_the_projects_own_rule_holds(project, lead):
    iteration = iteration_with(project)
    rule_change(project=project, key="forgetting", enabled=True, hold=False, limit=0.03, by=lead)
    assert alarms_evaluate(iteration=iteration) == []
    rule_change(project=project, key="forgetting", enabled=False, hold=False, limit=None, by=lead)
    assert alarms_evaluate(iteration=iteration) == []
    rule_reset(project=project, key="forgetting", by=lead)
    assert len(alarms_evaluate(iteration=iteration)) == 1
    assert list(AuditEvent.objects.values_list("verb", flat=True).order_by("id")) == [
        "alarm rule changed", "alarm rule changed", "alarm rule reset",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "values", "says"),
    [
        ("nothing", {}, "no rule"),
        ("forgetting", {"limit": 1.5}, "within 0 and 1"),
        ("length_hacking", {"limit": 0.5}, "within 1 and 10"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(project, lead, key, values, says):
    with pytest.raises(AlarmRefused, match=says):
        rule_change(
            project=project, key=key, **{"enabled": True, "hold": False, "limit": None, **values}, by=lead
        )
    assert not AlarmRule.objects.exists()


def test_measuring_a_stage_looks_through_the_rules(project):
    iteration = make.iteration_make(project)
    group = fake.group(
        "probe", fake.metric("forgetting"), evaluate=lambda _: [Value("forgetting", 0.06, (0.03, 0.09), 300)]
    )
    with fake.groups(group):
        stage_measure(iteration=iteration, stage=Stage.EVALUATE)
    assert keys(iteration) == ["forgetting"]


def test_a_rule_that_fails_does_not_stop_the_loop(project, monkeypatch):
    monkeypatch.setattr(services.values, "alarms_evaluate", lambda **_: 1 / 0)
    with fake.groups():
        assert stage_measure(iteration=iteration_with(project), stage=Stage.EVALUATE).values == 0


# ---- the gate


def decided(project, *, hold, seen_by=None):
    base = base_register(project=project)
    project.refresh_from_db()
    challenger = model_register(project=project, parent=base, adapter_path="a", status="challenger")
    iteration = iteration_with(project, champion=base, challenger=challenger)
    if hold:
        rule_change(
            project=project, key="forgetting", enabled=True, hold=True, limit=None, by=make.user_make()
        )
    (alarm,) = alarms_evaluate(iteration=iteration)
    if seen_by:
        alarm_seen(alarm=alarm, note="the probe was wrong", by=seen_by)
    decision_write(iteration=iteration, promote=True, passed=True, reasons=["it wins"], facts={})
    return Iteration.objects.get(pk=iteration.pk)


def test_an_alarm_whose_rule_holds_keeps_the_champion(project):
    iteration = decided(project, hold=True)
    assert (iteration.decision["promote"], iteration.decision["passed"]) == (False, True)
    assert iteration.decision["reasons"][0].startswith("alarm “forgetting”: On the probe prompts")
    assert iteration.alarms.get().held
    assert Promotion.objects.get(to_version=iteration.challenger).kind == "held"


def test_an_alarm_holds_nothing_unless_asked_to(project):
    iteration = decided(project, hold=False)
    assert iteration.decision["promote"]
    assert not iteration.alarms.get().held


def test_an_alarm_that_is_dealt_with_holds_no_longer(project, lead):
    assert decided(project, hold=True, seen_by=lead).decision["promote"]


def test_what_is_found_after_the_decision_held_nothing(project, lead):
    iteration = iteration_with(project, stage="done", decision={"promote": True})
    rule_change(project=project, key="forgetting", enabled=True, hold=True, limit=None, by=lead)
    (alarm,) = alarms_evaluate(iteration=iteration)
    assert not alarm.held


def test_a_rule_that_holds_holds_what_could_not_be_looked_at(project, lead):
    def broken(_):
        raise ValueError("no")

    iteration = make.iteration_make(project)
    groups = [
        fake.group("Probe", fake.metric("forgetting"), evaluate=broken),
        fake.group("Other", fake.metric("judge_flips"), annotate=broken),
    ]
    with fake.groups(*groups):
        for stage in (Stage.ANNOTATE, Stage.EVALUATE):
            measuring_plan(iteration=iteration, stage=stage)
            fake.run(unit_claim(queue="light"))
        assert reasons_to_hold(iteration) == []  # no rule holds
        rule_change(project=project, key="forgetting", enabled=True, hold=True, limit=None, by=lead)
        assert reasons_to_hold(iteration) == [
            "alarm “forgetting” could not be looked for: “Probe” was not measured"
        ]


def test_a_rule_that_fails_holds(project, lead, monkeypatch):
    rule_change(project=project, key="forgetting", enabled=True, hold=True, limit=None, by=lead)
    monkeypatch.setattr(services.alarms, "fired", lambda *_: 1 / 0)
    assert reasons_to_hold(make.iteration_make(project)) == [
        "alarms that hold could not be looked for: the log says why"
    ]


def test_reasons_follow_the_rule_as_it_is_now(project, lead):
    iteration = iteration_with(project)
    alarms_evaluate(iteration=iteration)
    assert reasons_to_hold(iteration) == []
    rule_change(project=project, key="forgetting", enabled=True, hold=True, limit=None, by=lead)
    assert len(reasons_to_hold(iteration)) == 1


# ---- reads


def test_pages_get_open_alarms_first_with_what_to_do(project, lead, django_assert_num_queries):
    iteration = iteration_with(project, {**LOST, **UNFILTERED})
    alarms_evaluate(iteration=iteration)
    assert [row.alarm.key for row in open_alarms(project)] == ["forgetting", "filter_idle"]
    alarm_seen(alarm=Alarm.objects.get(key="forgetting"), note="", by=lead)
    assert not alarm_seen(alarm=Alarm.objects.get(key="forgetting"), note="again", by=lead)
    with django_assert_num_queries(1):
        rows = alarms_of(iteration)
    assert [(row.title, row.dealt_with) for row in rows] == [
        ("Filter does nothing", False),
        ("Forgetting", True),
    ]
    assert all(row.what_to_do for row in rows)
    assert [row.alarm.key for row in open_alarms(project, 1)] == ["filter_idle"]


def test_rules_show_what_holds_here(project, lead):
    rule_change(project=project, key="forgetting", enabled=True, hold=True, limit=0.05, by=lead)
    rows = {row.rule.key: row for row in rules_of(project)}
    assert (rows["forgetting"].limit, rows["forgetting"].hold, rows["forgetting"].changed) == (
        0.05,
        True,
        True,
    )
    assert (rows["collapse"].limit, rows["collapse"].enabled, rows["collapse"].changed) == (0.7, True, False)
