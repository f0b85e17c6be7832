"""Who reads German reads the pages of iterations in German, whatever state one is in."""

import re
from collections import defaultdict
from html import unescape

import pytest
from babel.messages.pofile import read_po
from django.urls import reverse
from django.utils import translation

from loop.curate.material import OVER
from loop.promote import words
from tests import factories as make
from tests.stories import past_make
from webapp.embedded.layout import ROOT
from webapp.iterations import sentences
from webapp.iterations.models import Iteration, Transition, WorkUnit
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db

PLACES = (
    "templates/iterations/",
    "templates/metrics/",
    "webapp/iterations/page.py",
    "webapp/iterations/forms.py",
)
REASON = words.CHANCE[0].format(p="0.412", alpha="0.05")


def english():
    """Texts of these pages that read otherwise in German, without those that fill something in."""
    with (ROOT / "locale/de/LC_MESSAGES/django.po").open("rb") as file:
        catalogue = read_po(file, locale="de")
    return [
        m.id
        for m in catalogue
        if isinstance(m.id, str)
        and m.id
        and m.string.lower() != m.id.lower()
        and not re.search(r"[%{]", m.id)
        if any(place.startswith(PLACES) for place, _ in m.locations)
    ]


def shown(page):
    """What one reads or hears of a page, without what people and models wrote."""
    page = re.sub(r'<(script|style|pre)\b.*?</\1>|<p class="prompt-text">.*?</p>', "", page, flags=re.DOTALL)
    heard = re.findall(r'\b(?:aria-label|title|data-confirm|placeholder)="([^"]*)"', page)
    return unescape(" | ".join([*re.split(r"<[^>]*>", page), *heard]))


def left_english(page):
    read = shown(page)
    return [text for text in english() if re.search(rf"(?<![\w.=-]){re.escape(text)}(?![\w-]|\.\w)", read)]


@pytest.fixture
def past(client):
    past = past_make()
    past.lead.settings = {"language": "de"}
    past.lead.save()
    client.force_login(past.lead, backend="django.contrib.auth.backends.ModelBackend")
    Iteration.objects.filter(pk=past.done.pk).update(decision={**past.done.decision, "reasons": [REASON]})
    counts = {
        **past.done.counts,
        "dropped": {"the checker says wrong": 400, OVER.format(limit=4, what="outcomes"): 2},
    }
    Iteration.objects.filter(pk=past.done.pk).update(counts=counts)
    Transition.objects.filter(iteration=past.done, from_stage="prepare").update(because="champion v1 pinned")
    return past


@pytest.fixture
def read(client, past):
    def get(name, *more):
        return client.get(reverse(name, args=[past.project.slug, *more])).content.decode()

    return get


def at_work(past, status, **values):
    """The open one, in the middle of sampling."""
    WorkUnit.objects.create(
        project=past.project, iteration=past.waiting, stage="generate", kind="generate", queue="model",
        state="running", done=5, total=10, attempt=2, started_at=past.waiting.created_at, message="sampling",
        progress={"loss": 0.5, "tokens_per_s": 20, "time_left_s": 40},
    )  # fmt: skip
    Iteration.objects.filter(pk=past.waiting.pk).update(stage="generate", status=status, **values)


def test_a_running_iteration(past, read):
    at_work(past, "running", counts={"prompts": 10, "sampled": 80, "verified": 40, "dropped": {"a step": 2}})
    page = read("iteration", past.waiting.number)
    assert left_english(page) == []
    assert "Das Modell beantwortet die Prompts" in page
    assert re.search(r"Prompts pro s.*noch etwa 40 s.*zieht Antworten.*1 übernommen", page, re.DOTALL)
    assert "endet, wo sie steht" in page
    assert left_english(read("iteration_live", past.waiting.number)) == []


def test_a_waiting_iteration(past, read):
    page = read("iteration", past.waiting.number)
    assert left_english(page) == []
    assert "0 / 3 Antworten" in page
    assert 'data-confirm="Jetzt weitermachen?' in page


@pytest.mark.parametrize("status", ["failed", "paused", "cancelled"])
def test_an_iteration_that_does_not_move(past, read, status):
    at_work(past, status, problem="generate: OSError" if status == "failed" else "")
    page = read("iteration", past.waiting.number)
    assert left_english(page.replace("generate: OSError", "")) == []
    assert {"failed": "Gescheitert", "paused": "angehalten", "cancelled": "abgebrochen"}[status] in page


def test_a_finished_iteration(past, read):
    page = read("iteration", past.done.number)
    assert left_english(page) == []
    assert "Champion v1 festgehalten" in page
    assert "der Unterschied kann Zufall sein: p = 0,412, das Gate verlangt weniger als 0,05" in page
    assert "Richtig geworden" in page
    assert "mehr als 4 Ergebnisse für diesen Prompt" in page
    assert "Kontrolle mit gemischten Labels zu" in read("iteration", past.control.number)


def test_the_list_and_the_start(past, read):
    assert left_english(read("iterations")) == []
    page = read("iteration_start")
    titles = re.compile(
        r'<label class="card recipe">.*?</label>', re.DOTALL
    )  # what recipes say of themselves
    assert left_english(titles.sub("", page)) == []
    assert "Nutzt bekannte Antworten für:" in page


def test_the_list_before_there_is_any(client):
    project = make.project_make(name="Tests")
    reader = make.member_make(project, role=Role.LEAD)
    reader.settings = {"language": "de"}
    reader.save()
    client.force_login(reader)
    page = client.get(reverse("iterations", args=[project.slug])).content.decode()
    assert left_english(page) == []
    assert "Noch keine Iteration" in page


@pytest.mark.parametrize("text", sentences.TEXTS)
def test_a_kept_sentence_is_told_in_the_readers_language(text):
    holes = defaultdict(lambda: "7.5", other=words.BASE, name="probe accuracy", n="12")
    sentence = text.format_map(holes)
    assert sentences.told(sentence) == sentence
    with translation.override("de"):
        put = {
            "7.5": "7,5",
            words.BASE: "dem bloßen Basismodell",
            "probe accuracy": "Genauigkeit auf der Probe",
        }
        filled = defaultdict(lambda: "7,5", {name: put.get(value, value) for name, value in holes.items()})
        assert sentences.told(sentence) == translation.gettext(text).format_map(filled) != sentence


def test_a_sentence_in_a_sentence_is_told_too():
    broken = words.WORSE.format(before="90.0%", after="80.0%", margin="5.0")
    with translation.override("de"):
        assert sentences.told(words.GUARD.format(name="probe accuracy", broken=broken)) == (
            "Sicherung „Genauigkeit auf der Probe“: ging von 90,0% auf 80,0%, um mehr als die erlaubten"
            " 5,0 Punkte schlechter"
        )
        assert sentences.told("measuring finetune") == "misst „trainieren“"
        assert sentences.told("something else") == "something else"
        long = "alpha writes " + "of " * 300 + "samples"
        assert sentences.told(long) == long
