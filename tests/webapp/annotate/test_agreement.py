"""Agreement by hand on a small project; filters; what is counted; alarms; who may see it."""

import re
import uuid
from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from webapp.annotate import agreement
from webapp.annotate.agreement import Asked, alarms_of, kinds_measured, monday, overlapping_answers
from webapp.annotate.given import answers_read
from webapp.annotate.models import Annotation, AnnotationTask
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(project, make):
    return [make.member_make(project, username=name) for name in ("ada", "bob", "cyd")]


@pytest.fixture
def say(project):
    """Store an answer as it stands, whoever would be asked; keeps the task's count."""

    def go(task, user, payload, *, at=None, version=None, outcome="answered", **values):
        made = Annotation.objects.create(
            task=task,
            user=user,
            payload=payload,
            outcome=outcome,
            guideline_version=version,
            submit_key=uuid.uuid4(),
            **values,
        )
        if at:
            Annotation.objects.filter(pk=made.pk).update(created_at=at)
        AnnotationTask.objects.filter(pk=task.pk).update(answers=task.annotations.count())
        return made

    return go


def steps(first, count=3, verdict=None):
    """Good up to the first error, unjudged after it."""
    marks = [1] * count if first is None else [1] * first + [-1] + [None] * (count - first - 1)
    return {
        "marks": marks,
        "first_error": first,
        "verdict": verdict or ("right" if first is None else "wrong"),
    }


def better(winner, *, all_bad=False):
    return {"winner": winner, "all_bad": all_bad, "strength": 2, "rationale": ""}


@pytest.fixture
def four(project, iteration, people, make, say):
    """Ada and Bob answer four responses of three steps: wrong/wrong at the same step, wrong/wrong one step
    apart, right/wrong, right/right."""
    ada, bob, _ = people
    version = make.guidelines_make(project)
    tasks = [make.task_make(iteration, overlap=2) for _ in range(4)]
    for task, (a, b) in zip(tasks, [(1, 1), (1, 2), (None, 2), (None, None)], strict=True):
        say(task, ada, steps(a), version=version)
        say(task, bob, steps(b), version=version)
    return tasks


def measured(project, **asked):
    return kinds_measured(overlapping_answers(project, Asked.of(asked)).rows)


def line(kind, key):
    return next(found.figure for found in kind.lines if found.key == key)


def test_step_critiques_by_hand(project, four, people):
    (kind,) = measured(project)
    assert (kind.tasks, kind.answers) == (4, 8)
    # Verdicts: wrong wrong | wrong wrong | right wrong | right right. Observed disagreement 2/8 of ordered
    # pairs; 5 wrong and 3 right of 8: expected 2*5*3/(8*7) = 30/56. Alpha = 1 - (2/8)/(30/56) = 8/15.
    assert line(kind, "choice").value == pytest.approx(8 / 15)
    assert line(kind, "percent").value == 3 / 4
    assert line(kind, "exact").value == 2 / 4
    assert line(kind, "within_one").value == 3 / 4
    # Positions with "none" as 3: (1,1) (1,2) (3,2) (3,3). Observed: (0+1+1+0)*2/8 = 1/2 over ordered pairs;
    # expected: values 1,1,1,2,2,3,3,3: sum of squared differences over ordered pairs 2*(6*1+9*4+6*1)/(8*7)
    # = 96/56. Alpha = 1 - (1/2)/(96/56) = 1 - 28/96.
    assert line(kind, "first_error").value == pytest.approx(1 - 28 / 96)
    # Steps both judged: + + | - - | + + | + - | + + | + + | + - | + + | + + | + +; 10 items.
    assert line(kind, "marks").n == 10
    # Kappa: observed 3/4; ada 2 wrong of 4, bob 3 wrong of 4: expected (2*3 + 2*1)/16 = 1/2. (3/4-1/2)/(1/2)
    (pair,) = kind.pairs
    assert [p.username for p in pair.people] in (["ada", "bob"], ["bob", "ada"])
    assert pair.figures.kappa.value == pytest.approx(1 / 2)
    assert (pair.figures.n, pair.level) == (4, 2)
    assert pair.first_error.exact.value == 1 / 2
    assert pair.first_error.within_one.value == 3 / 4
    assert pair.first_error.distance == 1 / 2  # both marked one in two responses: 0 and 1 apart
    assert [p.username for p, _ in kind.matrix] == ["ada", "bob"]
    assert kind.matrix[0][1][1] is pair
    assert kind.matrix[0][1][0] is None
    # Says the same: the same first error, or none in both: tasks 1 and 4.
    assert (kind.same.value, kind.same.n) == (1 / 2, 4)
    (version,) = kind.versions
    assert (version.key, version.pairs.n) == (1, 4)
    assert version.alpha.value == pytest.approx(1 - 28 / 96)


def test_preferences_and_reviews_by_hand(project, iteration, people, make, say):
    ada, bob, cyd = people
    pair = make.preference_task_make(iteration, overlap=3)
    for user, answer in ((ada, better(0)), (bob, better(0)), (cyd, better(None, all_bad=True))):
        say(pair, user, answer)
    tie = make.preference_task_make(iteration, overlap=2)
    say(tie, ada, better(None))
    say(tie, bob, better(None))
    review = make.task_make(iteration, overlap=2)
    AnnotationTask.objects.filter(pk=review.pk).update(kind="critique_review")
    say(review, ada, {"decision": "accept", "winner": None, "all_bad": False})
    say(review, bob, {"decision": "reject", "winner": None, "all_bad": False})
    preferences, reviews = measured(project)
    assert preferences.label == "Preference"
    # Pairs: candidate 1 twice (1 equal), each against all bad (2 not), tie and tie (1 equal): 2 of 4.
    assert line(preferences, "percent").value == 1 / 2
    assert preferences.same.value == 1 / 2
    assert len(preferences.pairs) == 3
    assert line(reviews, "percent").value == 0
    assert [found.key for found in reviews.lines] == ["choice", "percent"]


def test_what_is_no_vote_is_not_counted(project, iteration, people, make, say, four):
    ada, bob, _ = people
    before = measured(project)
    aside = make.task_make(iteration, overlap=2)
    say(aside, ada, {"reason": "no"}, outcome="bad_problem")
    say(aside, bob, steps(1))
    for purpose in ("gold", "repeat"):
        task = make.task_make(iteration, overlap=2)
        AnnotationTask.objects.filter(pk=task.pk).update(purpose=purpose)
        say(task, ada, steps(0))
        say(task, bob, steps(1))
    alone = make.task_make(iteration)
    say(alone, ada, steps(0))
    other = make.task_make(make.iteration_make(make.project_make()), overlap=2)
    say(other, ada, steps(0))
    say(other, bob, steps(1))
    assert measured(project) == before
    unknown = make.task_make(iteration, overlap=2)
    say(unknown, ada, steps(None, verdict="unknown"))
    say(unknown, bob, steps(None))
    (kind,) = measured(project)
    assert line(kind, "percent").n == 4  # not sure is no answer
    assert kind.same.errors == 1
    rejected = four[0].annotations.get(user=bob)
    Annotation.objects.filter(pk=rejected.pk).update(state="rejected")
    assert line(measured(project)[0], "percent").n == 4  # what a lead rejects still counts here


def test_filters(project, iteration, people, make, say, four):
    ada, bob, _ = people
    pair = make.preference_task_make(iteration, overlap=2)
    long_ago = timezone.now() - timedelta(days=400)
    say(pair, ada, better(0), at=long_ago)
    say(pair, bob, better(0), at=long_ago)
    day = (timezone.now() - timedelta(days=30)).date().isoformat()
    assert [k.kind for k in measured(project)] == ["step_critique", "preference"]
    assert [k.kind for k in measured(project, kind="preference")] == ["preference"]
    assert [k.kind for k in measured(project, since=day)] == ["step_critique"]
    assert [k.kind for k in measured(project, until=day)] == ["preference"]
    assert [k.kind for k in measured(project, guidelines="1")] == ["step_critique"]
    assert measured(project, guidelines="2") == []
    assert len(measured(project, iteration="1")) == 2
    assert measured(project, iteration="2") == []


def test_versions_do_not_mix(project, four, people, make, say, iteration):
    ada, bob, _ = people
    newer = make.guidelines_make(project)
    mixed = make.task_make(iteration, overlap=2)
    say(mixed, ada, steps(0))
    say(mixed, bob, steps(2), version=newer)
    say(make.task_make(iteration, overlap=2), ada, steps(0), version=newer)
    (kind,) = measured(project)
    assert [(group.key, group.pairs.n) for group in kind.versions] == [(2, 0), (1, 4)]


def test_only_the_newest_whole_tasks_are_read(project, four):
    answers = overlapping_answers(project, most=5)
    assert answers.cut
    assert {row.task for row in answers.rows} == {four[3].pk, four[2].pk}
    assert not overlapping_answers(project, most=8).cut
    assert answers_read(Annotation.objects.none()).rows == []


def test_low_and_falling_agreement_raise_an_alarm(project, iteration, people, make, say):
    ada, bob, _ = people
    now = timezone.now()
    for week in range(4):
        for i in range(10):
            task = make.task_make(iteration, overlap=2)
            at = now - timedelta(weeks=4 - week)
            say(task, ada, steps(i % 3), at=at)
            say(task, bob, steps(i % 3 if i >= 3 * week else (i + 1) % 3), at=at)
    (kind,) = measured(project)
    assert [group.pairs.value for group in kind.weeks] == [1.0, 0.7, 0.4, 0.1]
    assert kind.trend.slope < 0
    found = {(alarm.key, alarm.name) for alarm in alarms_of([kind])}
    assert ("falls", "") in found
    assert ("low", "first_error") in found  # 18 of 40 pairs disagree, often by two steps
    assert ("low", "choice") not in found  # all said wrong: not defined, so nothing to say


def test_good_agreement_raises_none(project, iteration, people, make, say):
    for i in range(12):
        task = make.task_make(iteration, overlap=2)
        for user in people[:2]:
            say(task, user, steps((0, 1, 2, None)[i % 4]))
    assert alarms_of(measured(project)) == []


# ------------------------------------------------------------------------------------------------- page
@pytest.fixture
def see(client, project, make):
    def go(role, **asked):
        user = make.member_make(project, role=role)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return re.sub(
            r"\s+", " ", client.get(reverse("agreement", args=[project.slug]), asked).content.decode()
        )

    return go


def test_leads_and_viewers_see_names_annotators_do_not(see, four):
    for role, names in ((Role.LEAD, True), (Role.VIEWER, True), (Role.ANNOTATOR, False)):
        page = see(role)
        assert "0.533" in page  # 8/15
        assert "75.0" in page
        assert ("ada" in page) == names


def test_simulated_people_are_marked(see, four, people):
    assert 'class="badge info">simulated' not in see(Role.LEAD)
    people[0].is_simulated = True
    people[0].save()
    assert 'class="badge info">simulated' in see(Role.LEAD)


def test_the_page_says_when_there_is_nothing_or_more_than_was_read(see, project, four, monkeypatch):
    assert "Nothing fits these filters" in see(Role.LEAD, kind="preference")
    assert "Newest answers only" not in see(Role.LEAD)
    read = answers_read
    monkeypatch.setattr(agreement, "answers_read", lambda answers: read(answers, most=5))
    assert "rest on the newest 4, by task" in see(Role.LEAD)
    Annotation.objects.all().delete()
    assert "Nothing to compare yet" in see(Role.VIEWER)


def test_queries_do_not_grow(client, project, iteration, people, make, say, django_assert_max_num_queries):
    lead = make.member_make(project, role=Role.LEAD)
    client.force_login(lead, backend="django.contrib.auth.backends.ModelBackend")
    for _ in range(2):
        for _ in range(4):
            task = make.task_make(iteration, overlap=3)
            for i, user in enumerate(people):
                say(task, user, steps(i))
        with django_assert_max_num_queries(22):
            client.get(reverse("agreement", args=[project.slug]))


def test_mondays():
    assert monday(date(2026, 11, 22)) == date(2026, 11, 16)
    assert monday(date(2026, 11, 16)) == date(2026, 11, 16)


@given(st.dictionaries(st.sampled_from(list(Asked.__dataclass_fields__)), st.text(max_size=30)))
def test_any_address_is_understood(asked):
    assert isinstance(Asked.of(asked).address(), str)
