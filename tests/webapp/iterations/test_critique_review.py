"""An iteration that asks people about critiques, from the draw of the tasks to the frozen data set."""

import uuid

import pytest

from loop.dialects import dialect_named
from loop.domains.arithmetic.check import judge
from loop.records import Verdict
from tests.webapp.iterations import support
from tests.webapp.iterations.support import make
from webapp.annotate.simulate import critique_payload
from webapp.curate.models import Example
from webapp.traces.models import Critique, Preference, Response

pytestmark = pytest.mark.django_db
TERSE = dialect_named("terse")


def criticised(unit):
    """Every response gets a true critique and one that finds nothing wrong."""
    support._generate(unit)
    for response in Response.objects.filter(iteration=unit.iteration).select_related("prompt"):
        record = response.record()
        truth = judge(response.prompt.record(), [step.text for step in record.steps])
        blind = truth.__class__((1,) * len(record.steps), None, Verdict.RIGHT)
        for name, read in (("truth", truth), ("blind", blind)):
            make.model_critique_make(
                response,
                id=uuid.uuid5(response.pk, name),
                text=TERSE.write_critique(read, record),
                **critique_payload(read),
            )


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setitem(support._EFFECTS, "generate", criticised)

    def to_finetune(recipe, *changes):
        iteration = support.start(recipe=support.small(recipe, *changes), simulate_annotators=True)
        return support.work_until(iteration, "finetune")

    return to_finetune


def test_compared_critiques_train_the_critic(run):
    iteration = run("critic-dpo")
    tasks = list(iteration.tasks.select_related("response"))
    # Only of the wrong responses the two critiques differ; of the right ones both say the same words.
    assert {task.response.verdict for task in tasks} == {"wrong"}
    assert [task.kind for task in tasks] == ["critique_review"] * 4
    assert Preference.objects.filter(winner__isnull=False).count() == 4
    pairs = Example.objects.filter(iteration=iteration, kind="critique_pair")
    assert pairs
    for pair in pairs:
        assert pair.row["chosen"].endswith("Verdict: wrong")
        assert pair.row["rejected"].endswith("Verdict: right")
        assert [a.task.kind for a in pair.annotations.all()] == ["critique_review"]
    kinds = iteration.dataset_version.manifest["kinds"]
    assert kinds["critique_pair"] == len(pairs)
    assert kinds["preference"] == 6  # right over wrong, by the checker


def test_accepted_and_edited_critiques_train_it_like_any_other(run):
    changes = ("annotate.kind=critique_review", "curate.rows=[critique]", "annotate.take=6")
    iteration = run("self", *changes)
    assert iteration.tasks.count() == 6
    judged = Critique.objects.filter(author_kind="person")
    assert {c.annotation.payload["decision"] for c in judged} <= {"accept", "edit"}
    rows = Example.objects.filter(iteration=iteration, kind="critique")
    assert rows
    for row in rows:
        response = row.response.record()
        read = TERSE.read_critique(row.row["chosen"], response)
        truth = judge(row.prompt.record(), [step.text for step in response.steps])
        assert (read.first_error, read.verdict) == (truth.first_error, truth.verdict)
