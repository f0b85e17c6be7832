"""Each person's figures by hand: known answers, repeats, others, sides, anchoring, pace; who sees them."""

import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from webapp.annotate import services
from webapp.annotate.models import (
    Annotation,
    AnnotationTask,
    Assignment,
    DayCount,
    Flag,
    Invitation,
)
from webapp.annotate.people import person_figures, standings
from webapp.projects.models import Membership, Role
from webapp.traces.models import Critique

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(project, make):
    return make.member_make(project, username="ada")


@pytest.fixture
def bob(project, make):
    return make.member_make(project, username="bob", is_simulated=True)


def steps(first, verdict=None):
    marks = [1, 1, 1] if first is None else [1] * first + [-1] + [None] * (2 - first)
    return {
        "marks": marks,
        "first_error": first,
        "verdict": verdict or ("right" if first is None else "wrong"),
    }


@pytest.fixture
def say(project, iteration, make):
    """An answer to a new task, or to ``task``; counted per day as submit does."""

    def go(user, payload, task=None, *, weeks_ago=0, outcome="answered", order=None, shown=None, **values):
        task = task or make.task_make(iteration)
        at = timezone.now() - timedelta(weeks=weeks_ago)
        seen = {"model_critique": None, "order": order or [], **(shown or {})}
        made = Annotation.objects.create(
            task=task,
            user=user,
            payload=payload,
            outcome=outcome,
            shown=seen,
            submit_key=uuid.uuid4(),
            **values,
        )
        Annotation.objects.filter(pk=made.pk).update(created_at=at)
        AnnotationTask.objects.filter(pk=task.pk).update(answers=task.annotations.count())
        day, _ = DayCount.objects.get_or_create(project=project, user=user, day=at.date())
        day.answers, day.seconds = day.answers + 1, day.seconds + (made.seconds or 0)
        day.save()
        return made

    return go


@pytest.fixture
def gold(iteration, make):
    def go(answer, **values):
        task = make.task_make(iteration)
        AnnotationTask.objects.filter(pk=task.pk).update(purpose="gold", gold=answer, **values)
        return AnnotationTask.objects.get(pk=task.pk)

    return go


def row(project, user):
    return next(r for r in standings(project).rows if r.person.pk == user.pk)


def test_known_answers(project, ada, bob, say, gold):
    say(ada, steps(1), gold(steps(1)), weeks_ago=2)  # right
    say(ada, steps(2), gold(steps(1)), weeks_ago=1)  # one step off
    say(ada, steps(None), gold(steps(None)))  # right: none in both
    say(ada, steps(None), gold(steps(1)))  # wrong
    say(ada, steps(None, "unknown"), gold(steps(1)))  # not sure: not scored
    say(ada, {"reason": "?"}, gold(steps(1)), outcome="give_up")  # the same
    say(bob, steps(0), gold(steps(1)))
    found = person_figures(project, ada)
    assert (found.gold.all.value, found.gold.all.n, found.gold.all.errors) == (2 / 4, 4, 2)
    assert (found.gold_steps.verdict.value, found.gold_steps.verdict.n) == (3 / 4, 4)
    assert found.gold_steps.exact.value == 2 / 4
    assert found.gold_steps.within_one.value == 3 / 4
    assert [rate.value for _, rate in found.gold.weeks] == [1.0, 0.0, 0.5]
    assert found.gold.versions[0][0] is None
    assert (row(project, ada).gold.value, row(project, ada).gold.n) == (2 / 4, 4)
    assert row(project, bob).gold.value == 0
    assert found.others.all.n == 0  # known answers are no votes


def test_known_preferences_and_reviews(project, iteration, ada, say, make):
    for known, said in (({"winner": 1}, 1), ({"winner": 1}, 0), ({"winner": None, "all_bad": True}, None)):
        task = make.preference_task_make(iteration)
        AnnotationTask.objects.filter(pk=task.pk).update(purpose="gold", gold={"all_bad": False, **known})
        say(ada, {"winner": said, "all_bad": False, "strength": 2}, task)
    assert person_figures(project, ada).gold.all.value == 1 / 3  # a tie is not all bad


def again(task, iteration):
    return AnnotationTask.objects.create(
        project=task.project,
        kind=task.kind,
        prompt=task.prompt,
        response=task.response,
        response_ids=task.response_ids,
        purpose="repeat",
        repeat_of=task,
        open_slots=0,
    )


def test_silent_repeats(project, iteration, ada, bob, say, make):
    for before, after in ((1, 1), (1, 2), (None, None)):
        first = say(ada, steps(before), weeks_ago=3)
        say(ada, steps(after), again(first.task, iteration))
    foreign = say(bob, steps(1))
    say(ada, steps(0), again(foreign.task, iteration))  # no earlier answer of her own: not compared
    for before, after, order in ((0, 0, [1, 0]), (0, 1, [1, 0]), (1, 1, [0, 1])):
        pair = make.preference_task_make(iteration)
        said = {"all_bad": False, "strength": 1}
        say(ada, {"winner": before, **said}, pair, order=[0, 1])
        say(ada, {"winner": after, **said}, again(pair, iteration), order=order)
    found = person_figures(project, ada)
    assert (found.repeats.all.value, found.repeats.all.n) == (4 / 6, 6)
    assert (found.repeat_pairs.swapped.value, found.repeat_pairs.swapped.n) == (1 / 2, 2)
    assert (found.repeat_pairs.unswapped.value, found.repeat_pairs.unswapped.n) == (1.0, 1)
    assert row(project, ada).repeats.n == 6
    assert row(project, bob).repeats.n == 0


def test_like_others(project, iteration, ada, bob, say, make):
    cyd = make.member_make(project)
    for mine, his, hers in ((1, 1, 1), (1, 2, None), (None, None, 0)):
        task = make.task_make(iteration)
        say(ada, steps(mine), task)
        say(bob, steps(his), task)
        say(cyd, steps(hers), task)
    alone = make.task_make(iteration)
    say(ada, steps(0), alone)
    found = person_figures(project, ada)
    assert (found.others.all.value, found.others.all.n) == (3 / 6, 6)
    assert row(project, ada).others.value == 3 / 6
    assert row(project, cyd).others.value == 2 / 6


def test_sides(project, iteration, ada, say, make):
    for winner, order in ((0, [0, 1]), (1, [1, 0]), (1, [1, 0]), (1, [0, 1]), (None, [0, 1])):
        task = make.preference_task_make(iteration)
        say(ada, {"winner": winner, "all_bad": False, "strength": 1}, task, order=order)
    (side,) = person_figures(project, ada).sides
    assert (side.candidates, side.first.value, side.first.n, side.first.errors) == (2, 3 / 4, 4, 1)
    assert side.p_value == pytest.approx(10 / 16)  # 3 or more, or 1 or fewer, of 4 fair tosses


def test_anchoring(project, iteration, ada, say, make):
    def asked(agrees, *, shown):
        task = make.task_make(iteration)
        critique = make.model_critique_make(task.response)  # the first error in step 1
        Critique.objects.filter(pk=critique.pk).update(created_at=timezone.now() - timedelta(days=9))
        values = {"model_critique": str(critique.pk)} if shown else {"model_critique": None, "withheld": True}
        say(ada, steps(1 if agrees else 0), task, shown=values)

    for agrees in (True, True, True, False):
        asked(agrees, shown=True)
    for agrees in (True, False):
        asked(agrees, shown=False)
    plain = make.task_make(iteration)  # never to be shown: says nothing about its pull
    make.model_critique_make(plain.response)
    say(ada, steps(1), plain)
    found = person_figures(project, ada).anchor
    assert (found.first.value, found.first.n) == (3 / 4, 4)
    assert (found.second.value, found.second.n) == (1 / 2, 2)
    assert found.value == pytest.approx(1 / 4)
    assert found.ci95[0] < 0 < found.ci95[1]


def test_pace_and_days(project, ada, bob, say):
    say(ada, steps(1), seconds=20, step_seconds={"0": 4, "1": 6})  # 2 marks
    say(ada, steps(None), seconds=40, step_seconds={"0": 10, "1": None}, weeks_ago=1)  # 3 marks
    say(ada, steps(0), weeks_ago=9)  # nobody measured
    found = person_figures(project, ada)
    assert (found.answers, found.seconds) == (3, 60)
    assert found.pace.figures.per_hour == 120
    assert found.pace.figures.median_item == 30
    assert found.pace.figures.median_step == 6
    assert found.pace.figures.untimed == 1
    assert found.pace.labels_per_hour == 3600 * 5 / 60
    assert len(found.days) == 28
    assert [n for _, n in found.days if n] == [1, 1]
    assert found.days[-1] == (timezone.now().date(), 1)
    assert row(project, ada).per_hour == 120
    assert row(project, bob).per_hour is None
    assert row(project, ada).last == timezone.now().date()


def test_skips_flags_and_items_set_aside(project, iteration, ada, say, make):
    say(ada, {"reason": "x"}, outcome="bad_problem")
    say(ada, steps(1))
    for state, reason in (
        ("released", "too long"),
        ("released", "too long"),
        ("expired", ""),
        ("active", ""),
    ):
        Assignment.objects.create(
            task=make.task_make(iteration),
            user=ada,
            state=state,
            skip_reason=reason,
            lease_until=timezone.now(),
        )
    task = make.task_make(iteration)
    for reason in ("flag", "give_up"):
        Flag.objects.create(project=project, task=task, author=ada, reason=reason)
    found = person_figures(project, ada)
    assert (found.skips, found.expired, found.flags) == (2, 1, 1)
    assert found.skip_reasons == [("too long", 2)]
    assert [(str(label), n) for label, n in found.outcomes] == [("Bad Problem", 1)]
    assert row(project, ada).flags == 2


def test_alarms(project, ada, bob, say, gold):
    for i in range(12):
        say(ada, steps(1 if i < 3 else 0), gold(steps(1)), weeks_ago=12 - i)  # right at first, then never
        say(bob, steps(1), gold(steps(1)))
    found = {(alarm.key, alarm.person.username) for alarm in standings(project).alarms}
    assert found == {("gold", "ada"), ("gold_falls", "ada")}
    assert {alarm.key for alarm in person_figures(project, ada).alarms} == {"gold", "gold_falls"}
    assert person_figures(project, bob).alarms == []


def test_everybody_who_took_part_is_listed(project, ada, bob, say, make):
    say(ada, steps(1))
    Membership.objects.filter(user=ada).delete()
    rows = standings(project).rows
    assert [(r.person.username, r.role, r.answers) for r in rows] == [("ada", "", 1), ("bob", "annotator", 0)]
    assert [r.person.simulated for r in rows] == [False, True]


# ------------------------------------------------------------------------------------------------ pages
@pytest.fixture
def get(client):
    def go(user, name, *arguments):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client.get(reverse(name, args=arguments))

    return go


def text_of(response):
    return re.sub(r"[ \n]+", " ", response.content.decode())


def test_who_sees_whom(project, ada, bob, say, make, get, iteration):
    task = make.task_make(iteration)
    say(ada, steps(1), task)
    say(bob, steps(1), task)
    lead = make.member_make(project, role=Role.LEAD)
    page = text_of(get(lead, "people", project.slug))
    assert "ada" in page
    assert 'class="badge info">simulated' in page
    assert "100" in text_of(get(lead, "person", project.slug, bob.pk))
    for name, arguments in (("people", []), ("person", [bob.pk]), ("person", [ada.pk])):
        assert get(ada, name, project.slug, *arguments).status_code == 403
    mine = text_of(get(ada, "me", project.slug))
    assert "My figures" in mine
    assert not re.search(r"\bbob\b", mine)
    outsider = make.user_make()
    assert get(lead, "person", project.slug, outsider.pk).status_code == 404
    assert get(lead, "person", project.slug, 10**12).status_code == 404
    assert get(outsider, "me", project.slug).status_code == 404


def test_nothing_yet_is_said(project, ada, make, get):
    assert "No answers yet" in text_of(get(ada, "me", project.slug))
    lead = make.member_make(project, role=Role.LEAD)
    assert get(lead, "people", project.slug).status_code == 200


def test_an_alarm_speaks_to_its_reader(project, ada, say, gold, make, get):
    for _ in range(12):
        say(ada, steps(0), gold(steps(1)))
    # Not on the same day: whoever looked after each answer would learn which item's answer was known.
    assert "Right on 0" not in text_of(get(ada, "me", project.slug))
    Annotation.objects.update(created_at=timezone.now() - timedelta(days=1, hours=1))
    mine = text_of(get(ada, "me", project.slug))
    assert "Right on 0\u202f% of 12 items with a known answer" in mine
    assert "ask your lead" in mine
    lead = make.member_make(project, role=Role.LEAD)
    assert "Go through some of them together" in text_of(get(lead, "people", project.slug))
    agreed = text_of(get(lead, "agreement", project.slug))
    assert "Right on 0\u202f% of 12 items" in agreed  # alarms stand on the agreement page, too


def test_queries_do_not_grow(
    client, project, ada, bob, say, gold, make, get, iteration, django_assert_max_num_queries
):
    get(make.member_make(project, role=Role.LEAD), "people", project.slug)
    for _ in range(2):
        for _ in range(3):
            task = make.task_make(iteration)
            critique = make.model_critique_make(task.response)
            for user in (ada, bob):
                said = say(user, steps(1), task, shown={"model_critique": str(critique.pk)})
                say(user, steps(1), again(said.task, iteration))
                say(user, steps(1), gold(steps(0)))
            say(make.member_make(project), steps(1), task)
        with django_assert_max_num_queries(18):
            client.get(reverse("people", args=[project.slug]))
        with django_assert_max_num_queries(26):
            client.get(reverse("person", args=[project.slug, ada.pk]))


def test_a_known_answer_is_scored_as_first_given(project, ada, gold, make, iteration, submit):
    """Who was told the known answer may not earn it by changing theirs."""
    task = gold(steps(2), named=True, open_slots=5, overlap=5)
    Invitation.objects.create(task=task, user=ada)
    made = submit(services.assignment_claim(user=ada, project=project), payload=steps(1))
    services.annotation_revise(user=ada, pk=made.pk, payload=steps(2), outcome="answered", revision=1)
    figures = person_figures(project, ada)
    assert (figures.gold.all.value, figures.gold_steps.exact.value) == (0.0, 0.0)
    assert {row.person.pk: row.gold.value for row in standings(project).rows}[ada.pk] == 0.0
