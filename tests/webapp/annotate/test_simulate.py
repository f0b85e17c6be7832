"""Simulated annotators: through the same services, marked, refusing what no program can judge."""

import json
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from loop.domains.arithmetic.check import judge, solve_from
from loop.domains.arithmetic.generate import generate
from loop.records import Split
from tests import factories as make
from webapp.annotate import selectors
from webapp.annotate.errors import SimulationError
from webapp.annotate.models import Annotation, AnnotationTask
from webapp.annotate.services import tasks_create
from webapp.annotate.simulate import annotators_simulate, critique_payload
from webapp.traces.models import Critique, Preference, Response

COUNT = 12


@pytest.fixture
def problems(iteration):
    """Real word problems with a right and a wrong solution each."""
    made = []
    for problem in generate(COUNT, 7, Split.TRAIN):
        prompt = make.prompt_make(iteration.project, problem.text, meta=dict(problem.meta))
        right = solve_from(problem)
        wrong = [*right[:-1], "Answer: 987654"]
        pair = [make.response_make(prompt, *steps, iteration=iteration).pk for steps in (right, wrong)]
        made.append((prompt, problem, pair))
    return made


@pytest.fixture
def tasks(iteration, problems):
    items = [(prompt.pk, wrong, 0.0) for prompt, _, (_, wrong) in problems]
    tasks_create(iteration=iteration, kind="step_critique", items=items)
    pairs = [(prompt.pk, pair, 0.0) for prompt, _, pair in problems]
    tasks_create(iteration=iteration, kind="preference", items=pairs)
    return problems


def test_without_errors_they_say_what_the_program_knows(iteration, tasks):
    assert annotators_simulate(iteration=iteration, error_rate=0) == 2 * COUNT
    assert selectors.iteration_progress(iteration) == (2 * COUNT, 2 * COUNT)
    for critique in Critique.objects.select_related("response__prompt"):
        steps = [step.text for step in critique.response.steps]
        truth = judge(critique.response.prompt.record(), steps)
        record = critique.record()
        assert (record.marks, record.first_error) == (truth.marks, truth.first_error)
    assert set(Preference.objects.values_list("winner", flat=True)) == {0}


def test_their_answers_are_marked_and_shared(iteration, tasks):
    annotators_simulate(iteration=iteration, people=2)
    by_person = Counter(Annotation.objects.values_list("user", flat=True))
    assert sorted(by_person.values()) == [COUNT] * 2
    assert not Annotation.objects.filter(user__is_simulated=False).exists()
    user = Annotation.objects.first().user
    assert str(user).startswith("Simulated annotator")
    assert not user.has_usable_password()


def test_the_same_seed_gives_the_same_answers(iteration, tasks):
    def answers():
        annotators_simulate(iteration=iteration, error_rate=0.5, seed=3)
        return {a.task.response_id or str(a.task.response_ids): a.payload for a in Annotation.objects.all()}

    first = answers()
    Annotation.objects.all().delete()
    AnnotationTask.objects.all().update(state="open", answers=0, open_slots=1)
    for task in AnnotationTask.objects.all():
        task.assignments.all().delete()
    assert answers() == first


def test_they_can_be_stopped_between_two_answers(iteration, tasks):
    class Stop(Exception):
        pass

    def stop_at_three(_answer):
        if Annotation.objects.count() == 3:
            raise Stop

    with pytest.raises(Stop):
        annotators_simulate(iteration=iteration, on_answer=stop_at_three)
    assert Annotation.objects.count() == 3
    assert annotators_simulate(iteration=iteration) == 2 * COUNT - 3


def test_everything_wrong_at_error_rate_one(iteration, tasks):
    annotators_simulate(iteration=iteration, error_rate=1)
    assert not Critique.objects.filter(first_error__isnull=False).exists()  # every planted error was missed
    assert 0 not in Preference.objects.values_list("winner", flat=True)


def test_tasks_for_more_people_than_there_are_stay_open(iteration, problems):
    items = [(prompt.pk, wrong, 0.0) for prompt, _, (_, wrong) in problems]
    tasks_create(iteration=iteration, kind="step_critique", items=items, overlap=3)
    assert annotators_simulate(iteration=iteration, people=2) == 2 * COUNT
    assert selectors.iteration_progress(iteration) == (2 * COUNT, 3 * COUNT)


@pytest.fixture
def reviews(iteration, problems):
    """Per problem a true and a false critique of its wrong solution: one review of each, one comparison."""
    items = []
    for prompt, problem, (_, wrong) in problems:
        response = Response.objects.get(pk=wrong)
        truth = critique_payload(judge(problem, [step.text for step in response.steps]))
        marks = [1] * len(response.steps)
        true = make.model_critique_make(response, **truth)
        false = make.model_critique_make(
            response, marks=marks, first_error=None, verdict="right", comments={}
        )
        items += [(prompt.pk, (wrong, ids), 0.0) for ids in ([true.pk], [false.pk], [false.pk, true.pk])]
    tasks_create(iteration=iteration, kind="critique_review", items=items)
    return problems


def test_they_review_critiques_by_what_the_program_knows(iteration, reviews):
    assert annotators_simulate(iteration=iteration, error_rate=0) == 3 * COUNT
    decisions = Counter(a.payload["decision"] for a in Annotation.objects.all())
    assert decisions == {"accept": COUNT, "edit": COUNT, "prefer": COUNT}
    # Accepted or put right, either way the critique that trains the critic is the truth.
    for critique in Critique.objects.filter(author_kind="person").select_related("response__prompt"):
        steps = [step.text for step in critique.response.steps]
        truth = judge(critique.response.prompt.record(), steps)
        record = critique.record()
        assert (record.marks, record.first_error, record.verdict) == (
            truth.marks,
            truth.first_error,
            truth.verdict,
        )
    assert set(Preference.objects.values_list("winner", "all_bad")) == {(1, False)}


def test_no_silent_stand_in_for_people(iteration):
    make.task_make(iteration)  # a prompt of no domain
    with pytest.raises(SimulationError, match="only people can annotate"):
        annotators_simulate(iteration=iteration)
    assert Annotation.objects.count() == 0


def test_an_account_of_a_person_is_never_used(iteration, tasks):
    make.user_make(username="simulated-annotator-1")
    with pytest.raises(SimulationError, match="belongs to a person"):
        annotators_simulate(iteration=iteration)


def test_the_command_reports(iteration, tasks, capsys):
    slug = iteration.project.slug
    call_command("annotations_simulate", project=slug, json=True)
    assert json.loads(capsys.readouterr().out) == {
        "iteration": 1,
        "made": 2 * COUNT,
        "answers": 2 * COUNT,
        "wanted": 2 * COUNT,
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"project": "nowhere"}, "No project is called 'nowhere'"),
        ({"iteration": 9}, "has no iteration 9"),
        ({"error_rate": 2.0}, "must lie within 0 and 1"),
        ({"people": 0}, "1 to 20"),
    ],
)
def test_bad_input_is_exit_code_2_and_a_sentence(iteration, tasks, options, said):
    with pytest.raises(CommandError, match=said) as refused:
        call_command("annotations_simulate", **{"project": iteration.project.slug, **options})
    assert refused.value.returncode == 2
