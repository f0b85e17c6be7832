"""Five iterations, one collapsed and one that games its reward: alarms for those two, told on the overview.

Real worker code, recipes, measures and rules; the model is a program whose manner follows from the recipe
that its adapter was trained by.
"""

import re

import pytest
from django.urls import reverse

from loop.model import Completion
from loop.scripted import ScriptedEngine
from tests import factories as make
from tests.webapp.iterations import support
from tests.webapp.iterations.scripted_worker import ArithmeticModel, Workers
from webapp.demo.dashboards import BAD, PLAN, verdict
from webapp.metrics.services.alarms import title_of
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db(transaction=True)
BACKEND = "django.contrib.auth.backends.ModelBackend"
SIZES = (32, 32, 4)  # an alarm wants 30 prompts at least
EASY = (
    "annotate.take=6",
    "gate.guard_tolerance=0.5",
    "gate.guard_alpha=0.000001",
    "gate.hold_on_slices=false",
    "gate.shots=0",
)
RECIPES = {
    "rest-em": support.small("rest-em", *EASY, "settings.samples=3"),
    "self": support.small("lmsi", *EASY, "settings.samples=3"),  # as good, and quicker here
    "unfiltered": support.small("unfiltered", "settings.samples=3", "finetune.min_rows=1"),
    "length-hack": support.small("length-hack", "settings.samples=4", "finetune.min_rows=1"),
}
MORE = "and what was counted is counted once more\n" * 2


class Drifting(ArithmeticModel):
    """Repeats itself once trained unfiltered; writes longer, as right as before, once paid for length. Where
    it is hot, its wrong answers are long-winded."""

    def __init__(self, prompts):
        super().__init__(prompts)
        self.trained_by = {}
        self.engine = ScriptedEngine(self.said)

    def said(self, request, index):
        text = self.reply(request, index)
        body, _, answer = text.rpartition("\n")
        manner = self.trained_by.get(request.adapter, "")
        hot = request.sampling.temperature > 1
        if manner == "unfiltered":
            text = "1 + 1 = 2\n1 + 1 = 2\nAnswer: 2"
        elif manner == "length-hack" or (hot and not self.right(request, text)):
            text = f"{body}\n{MORE}{answer}"
        words = len(text.split())
        return Completion(text, token_ids=tuple(range(words)), logprobs=(-0.25,) * words)

    def right(self, request, text):
        prompt = self.by_text[request.messages[0].content]
        return text.endswith(f"Answer: {prompt.reference}")


class Drifters(Workers):
    def __init__(self, monkeypatch, settings, folder, prompts):
        super().__init__(monkeypatch, settings, folder, prompts)
        self.model = Drifting(prompts)

    def engine_with(self, version):
        if version.adapter_name:
            self.model.trained_by[version.adapter_name] = version.recipe.partition(" ")[0]
        if version.adapter_name and version.adapter_name not in self.model.skills:
            self.model.skills[version.adapter_name] = 0.85
        return self.model.engine


@pytest.fixture
def five(monkeypatch, settings, tmp_path):
    workers = Drifters(monkeypatch, settings, tmp_path, support.prompt_records(*SIZES))
    project = support.project_with_prompts(*SIZES)
    done = []
    for name, meant in PLAN:
        iteration = support.start(project, RECIPES[name], simulate_annotators=name in ("rest-em", "self"))
        workers.work_all()
        iteration.refresh_from_db()
        assert iteration.status == "done", iteration.problem
        done.append((iteration, meant))
    return project, done


def test_alarms_fire_for_the_two_bad_iterations_and_the_overview_says_so(five, client):
    project, done = five
    fired = {i.number: set(i.alarms.values_list("key", flat=True)) for i, _ in done}
    assert "collapse" in fired[3]
    assert "filter_idle" in fired[3]
    assert "length_hacking" in fired[5]
    assert "length_hacking" not in fired[3]
    assert "collapse" not in fired[5]
    assert [bool(fired[i.number]) for i, _ in done] == [meant == BAD for _, meant in done], fired
    assert [i.decision["promote"] for i, _ in done] == [True, False, False, False, False]
    assert verdict([{"number": i.number, "meant": m, "alarms": list(fired[i.number])} for i, m in done])[
        "as_expected"
    ]

    client.force_login(make.member_make(project, role=Role.VIEWER), backend=BACKEND)
    page = client.get(reverse("project", args=[project.slug])).content.decode()
    rows = {
        int(n): row
        for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)
        for n in re.findall(r"aria-label=\"Iteration (\d)", row)[:1]
    }
    assert title_of("collapse") in rows[3]
    assert title_of("length_hacking") in rows[5]
    assert [n for n, row in sorted(rows.items()) if "turn-alarm" in row] == [3, 5]
    assert "Collapse in iteration 3" in page
    assert "Length hacking in iteration 5" in page
