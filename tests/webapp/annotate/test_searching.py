"""Finding tasks: words and filters, pages, who sees what, what is not searchable yet; never an error."""

import re
from datetime import date

import pytest
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webapp.annotate import searching, services
from webapp.annotate.models import AnnotationTask, Flag, SearchRow
from webapp.annotate.searching import Wanted, tasks_search, unsearchable_count
from webapp.annotate.services.searching import search_fill, search_mend
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db


def found(project, only=None, **asked):
    page = tasks_search(project, Wanted.of({k: str(v) for k, v in asked.items()}), only=only)
    return [row.task.pk for row in page.rows]


@pytest.fixture
def tasks(iteration, make):
    """Three tasks, oldest first; the last one compares two responses."""
    steps = make.task_make(iteration, "four apples", "five pears", "Answer: 9")
    other = make.task_make(iteration, "two plums", "Answer: 2")
    pair = make.preference_task_make(iteration, "Answer: cherries", "Answer: grapes")
    search_fill()
    return [task.pk for task in (steps, other, pair)]


@pytest.fixture
def answered(tasks, project, person, make, submit):
    """The first task is answered with a comment; the second set aside."""
    make.guidelines_make(project)
    task = AnnotationTask.objects.get(pk=tasks[0])
    AnnotationTask.objects.filter(pk=tasks[0]).update(priority=2)
    AnnotationTask.objects.filter(pk=tasks[1]).update(priority=1)
    claim = services.assignment_claim(user=person, project=project)
    assert claim.task_id == task.pk
    payload = {"marks": [1, -1, None], "first_error": 1, "verdict": "wrong", "comments": {"1": "a quince!"}}
    first = submit(claim, payload=payload)
    claim = services.assignment_claim(user=person, project=project)
    second = submit(claim, payload={"reason": "nonsense"}, outcome="bad_problem")
    return first, second


def test_words_of_prompts_responses_candidates_and_answers_are_found(project, tasks, answered):
    assert found(project) == tasks[::-1]
    assert found(project, q="pears") == [tasks[0]]
    assert found(project, q="GRAPES cherries") == [tasks[2]]
    assert found(project, q="quince") == [tasks[0]]  # a comment, found the moment it is given
    assert found(project, q="nonsense") == [tasks[1]]
    assert found(project, q="answer -plums") == [tasks[2], tasks[0]]
    assert found(project, q='"five pears" or plums') == [tasks[1], tasks[0]]
    assert found(project, q='"pears five"') == []


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ({"kind": "preference"}, [2]),
        ({"state": "done"}, [1, 0]),
        ({"purpose": "gold"}, []),
        ({"outcome": "bad_problem"}, [1]),
        ({"verdict": "wrong"}, [0]),
        ({"first_error": "2"}, [0]),
        ({"first_error": "1"}, []),
        ({"first_error": "none"}, []),
        ({"flag": "open"}, [1]),
        ({"guidelines": 1}, [1, 0]),
        ({"guidelines": 2}, []),
        ({"iteration": 1}, [2, 1, 0]),
        ({"iteration": 7}, []),
        ({"since": timezone.now().date()}, [2, 1, 0]),
        ({"until": date(2020, 1, 1)}, []),
        ({"q": "quince", "outcome": "bad_problem"}, []),
        ({"q": "plums", "flag": "any", "state": "done"}, [1]),
    ],
)
def test_filters_by_hand(project, tasks, answered, asked, places):
    assert found(project, **asked) == [tasks[i] for i in places]


def test_filters_speak_of_one_and_the_same_answer(project, tasks, answered, person, make):
    assert found(project, person=person.username) == [tasks[1], tasks[0]]
    assert found(project, person=person.username, outcome="answered") == [tasks[0]]
    assert found(project, person=make.member_make(project).username) == []


def test_resolved_flags_are_not_open(project, tasks, answered):
    Flag.objects.update(resolved_at=timezone.now())
    assert found(project, flag="open") == []
    assert found(project, flag="any") == [tasks[1]]


def test_annotators_find_their_own_answers_only_and_no_repeats(project, tasks, answered, person, make):
    other = make.member_make(project)
    assert found(project, only=person) == [tasks[1], tasks[0]]
    assert found(project, only=person, q="quince") == [tasks[0]]
    assert found(project, only=other) == []
    assert found(project, only=other, q="quince") == []
    assert found(project, only=other, q="pears") == []
    AnnotationTask.objects.filter(pk=tasks[0]).update(purpose="repeat")
    assert found(project, only=person) == [tasks[1]]
    assert found(project, only=person, purpose="gold", state="open", iteration=9) == [
        tasks[1]
    ]  # tells nothing


def test_pages_follow_each_other_without_overlap(project, tasks, monkeypatch):
    monkeypatch.setattr(searching, "PER_PAGE", 2)
    first = tasks_search(project, Wanted())
    assert [row.task.pk for row in first.rows] == [tasks[2], tasks[1]]
    assert first.count == 3
    second = tasks_search(project, Wanted(q="answer", before=first.older))
    assert [row.task.pk for row in second.rows] == [tasks[0]]
    assert second.older is None


def test_the_words_found_are_marked(project, tasks, answered):
    (row,) = tasks_search(project, Wanted(q="pears")).rows
    assert (True, "pears") in row.excerpt
    (row,) = tasks_search(project, Wanted(q="quince")).rows
    assert (True, "quince") in row.excerpt
    assert [word for _, word in row.answers] == ["first error 2"]


def test_what_takes_too_long_is_stopped_and_said(client, project, tasks, monkeypatch, make):
    class Slow(Exception):
        pass

    def never(*_):
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        raise Slow

    monkeypatch.setattr(searching, "PATIENCE", 20)
    monkeypatch.setattr(searching, "_ids", never)
    client.force_login(
        make.member_make(project, role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    page = client.get(reverse("tasks", args=[project.slug]), {"q": "apple"})
    assert page.status_code == 200
    assert "too much to look through" in page.content.decode()


# ---------------------------------------------------------------------------------------------- filling
def test_filling_goes_by_bites_and_repeats_nothing(project, iteration, make):
    for _ in range(5):
        make.task_make(iteration)
    assert unsearchable_count(project) == 5
    assert [search_fill(2), search_fill(2), search_fill(2), search_fill(2)] == [2, 2, 1, 0]
    assert unsearchable_count(project) == 0
    assert SearchRow.objects.count() == 5


def test_tasks_committed_late_are_found_on_the_next_round(project, iteration, make):
    late, *_ = [make.task_make(iteration, f"word{i}") for i in range(4)]
    search_fill()
    SearchRow.objects.filter(task=late).delete()  # as if its import had committed after the others
    assert search_fill() == 0
    after = search_mend(0, limit=3)
    assert found(project, q="word0") == [late.pk]
    assert search_mend(after, limit=3) > after
    assert search_mend(search_mend(after, limit=3)) == 0  # the end: go round again


def test_the_scheduler_fills_and_mends(project, iteration, make, monkeypatch):
    from webapp.schedules.management.commands import scheduler as command

    monkeypatch.setattr(command, "close_old_connections", lambda: None)
    scheduler = command.Command()
    late, _ = make.task_make(iteration, "early"), make.task_make(iteration, "later")
    scheduler.beat()
    assert found(project, q="early later") == []
    assert len(found(project, q="early or later")) == 2
    SearchRow.objects.filter(task=late).delete()
    for _ in range(2):  # where the last round stood may lie behind it
        scheduler.beat()
    assert found(project, q="early") == [late.pk]


def test_any_text_can_be_made_searchable(project, iteration, make):
    wide = " ".join(chr(0x20000 + i) * 2 for i in range(30_000))
    short = " ".join(
        f"{a}{b}" for a in "abcdefghijklmnopqrstuvwxyz" for b in "0123456789" for _ in range(100)
    )
    for text in (wide, short, "x" * 300_000, "' & | ! ( <-> \\ \x01"):
        make.task_make(iteration, text)
    assert search_fill() == 4


# ------------------------------------------------------------------------------------------------- page
def test_the_page_says_what_is_not_searchable_yet(client, project, iteration, make):
    client.force_login(
        make.member_make(project, role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    make.task_make(iteration)
    address = reverse("tasks", args=[project.slug])
    assert "cannot be found by its words yet" in client.get(address, {"q": "apples"}).content.decode()
    search_fill()
    page = client.get(address, {"q": "apples"}).content.decode()
    assert "cannot be found" not in page
    assert "<mark>apples</mark>" in page


def test_leads_see_all_annotators_their_own_viewers_nothing(client, project, tasks, answered, person, make):
    address = reverse("tasks", args=[project.slug])

    def rows(user, **asked):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        answer = client.get(address, asked)
        return answer.status_code, len(re.findall("<tr>", answer.content.decode())) - 1

    assert rows(make.member_make(project, role=Role.LEAD)) == (200, 3)
    assert rows(person) == (200, 2)
    for telling in ("Gold", "iteration 1", 'name="state"', 'name="purpose"', 'name="iteration"'):
        assert telling not in client.get(address).content.decode()
    assert rows(make.member_make(project), person=person.username)[1] < 1
    assert rows(make.member_make(project, role=Role.VIEWER))[0] == 403
    assert rows(make.user_make())[0] == 404
    client.logout()
    assert client.get(address).status_code == 302


def test_queries_do_not_grow_with_rows(client, project, iteration, make, django_assert_max_num_queries):
    client.force_login(
        make.member_make(project, role=Role.LEAD), backend="django.contrib.auth.backends.ModelBackend"
    )
    address = reverse("tasks", args=[project.slug])
    for _ in range(3):
        for _ in range(4):
            make.task_make(iteration)
        search_fill()
        with django_assert_max_num_queries(28):
            client.get(address, {"q": "apples"})


WORDS = st.text(max_size=40) | st.sampled_from(
    ['"', "-", "or or", "a:*", "' OR 1=1 --", "\0", "-(", "𝒳", "%s", "%(x)s"]
)
KEYS = list(Wanted.__dataclass_fields__)


@given(st.dictionaries(st.sampled_from(KEYS), WORDS))
def test_any_address_is_understood(asked):
    wanted = Wanted.of(asked)
    assert Wanted.of(QueryDict(wanted.address()).dict()) == Wanted.of(wanted.asked())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(KEYS), WORDS | st.integers().map(str) | st.dates().map(str)),
    st.booleans(),
)
def test_any_address_has_an_answer(project, tasks, answered, person, asked, own):
    tasks_search(project, Wanted.of(asked), only=person if own else None)
