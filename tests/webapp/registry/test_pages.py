"""The models pages: lineage and its table, one version, promote and roll back with a reason."""

import re

import pytest
from django.urls import reverse

from tests import factories as make
from tests.stories import measured, past_make
from webapp.curate.models import DatasetVersion
from webapp.iterations.models import Iteration
from webapp.projects.models import Role
from webapp.registry.models import Promotion
from webapp.registry.page import heldout_series, lineage_of, versions_of
from webapp.registry.services import model_register

pytestmark = pytest.mark.django_db


@pytest.fixture
def past(client):
    past = past_make(tasks=0)
    client.force_login(past.lead, backend="django.contrib.auth.backends.ModelBackend")
    return past


def text_of(response):
    return re.sub(r"[ \n]+", " ", response.content.decode())


def test_versions_with_what_was_measured(past, django_assert_num_queries):
    with django_assert_num_queries(2):
        rows = versions_of(past.project)
    assert [(r.version.number, r.version.status) for r in rows] == [
        (1, "retired"), (2, "champion"), (3, "control"), (4, "held"),
    ]  # fmt: skip
    base = rows[0].heldout
    assert (base.value, base.evaluation.n) == (pytest.approx(4 / 12), 12)
    assert (base.low, base.high) == (pytest.approx(0.138, abs=1e-3), pytest.approx(0.609, abs=1e-3))  # Wilson
    assert rows[2].heldout is None
    assert [m.kind for m in heldout_series(past.project, rows)] == ["champion", "champion", "held"]
    assert len(lineage_of(past.project, rows).edges) == 3


def test_what_no_gate_decided_on_is_not_drawn_as_held(client, past):
    """An import or a run of one's own is registered only."""
    own = model_register(project=past.project, parent=past.better)
    measured(own, past.heldout, [True] * 12)
    rows = versions_of(past.project)
    assert heldout_series(past.project, rows)[-1].kind == "undecided"
    lanes = [lane.label for lane in lineage_of(past.project, rows).lanes]
    assert lanes[:4] == ["champions", "challengers", "imports and own runs", "control arms"]
    page = text_of(client.get(reverse("models", args=[past.project.slug])))
    assert 'class="point undecided"' in page
    assert "□ not decided on by the gate" in page


def test_the_page_in_a_fixed_number_of_queries(client, past, django_assert_max_num_queries):
    with django_assert_max_num_queries(9):
        page = text_of(client.get(reverse("models", args=[past.project.slug])))
    assert page.count("<path class=") == 3
    assert "★ champion" in page


def test_a_project_without_versions(client):
    project = make.project_make(slug="bare")
    client.force_login(
        make.member_make(project, role=Role.VIEWER), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert "No model version yet" in text_of(client.get("/projects/bare/models/"))


def test_one_version(client, past, django_assert_max_num_queries):
    with django_assert_max_num_queries(15):
        page = text_of(client.get(reverse("model", args=[past.project.slug, 2])))
    assert "the guards hold" in page
    assert "Trained from" in page
    assert client.get(reverse("model", args=[past.project.slug, 99])).status_code == 404


@pytest.mark.parametrize(
    ("number", "offered"), [(1, "Roll back to this…"), (2, None), (3, None), (4, "Promote…")]
)
def test_what_is_offered(client, past, number, offered):
    page = text_of(client.get(reverse("model", args=[past.project.slug, number])))
    for verb in ("Promote…", "Roll back to this…"):
        assert (verb in page) == (verb == offered)


def test_roll_back_needs_a_reason_and_moves_the_champion(client, past):
    address = reverse("champion_change", args=[past.project.slug, 1, "roll-back"])
    assert client.get(address).status_code == 200
    assert client.post(address, {"reason": ""}).status_code == 422
    page = client.post(address, {"reason": "It rambles."}, follow=True)
    assert f"{past.base.name} is the champion now." in text_of(page)
    past.project.refresh_from_db()
    assert past.project.champion == past.base
    latest = Promotion.objects.first()
    assert (latest.kind, latest.by, latest.reasons) == ("rolled_back", past.lead, ["It rambles."])


def test_promoting_past_the_gate_is_possible_but_never_a_control(client, past):
    page = client.post(
        reverse("champion_change", args=[past.project.slug, 3, "promote"]), {"reason": "why not"}, follow=True
    )
    assert "control arms are never promoted" in text_of(page)
    client.post(
        reverse("champion_change", args=[past.project.slug, 4, "promote"]), {"reason": "people prefer it"}
    )
    past.project.refresh_from_db()
    assert past.project.champion.number == 4


def test_viewers_may_look_only(client, past):
    viewer = make.member_make(past.project, role=Role.VIEWER)
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    assert "Promote…" not in text_of(client.get(reverse("model", args=[past.project.slug, 4])))


def test_no_page_reads_the_lists_of_dataset_versions(client, past, django_assert_max_num_queries):
    """They are as long as the versions: a page that joined twenty of them took seconds."""
    dataset = DatasetVersion.objects.create(
        project=past.project, number=99, sha256="0", row_count=0, example_ids=[]
    )
    version = model_register(project=past.project, dataset_version=dataset)
    Iteration.objects.update(dataset_version=dataset)
    number = Iteration.objects.latest("id").number
    for name, args in (
        ("models", []), ("model", [version.number]), ("project", []), ("iterations", []),
        ("iteration", [number]), ("runs", []), ("run_new", []), ("datasets", []), ("dataset", [99]),
    ):  # fmt: skip
        with django_assert_max_num_queries(60) as seen:
            assert client.get(reverse(name, args=[past.project.slug, *args])).status_code == 200
        # A page of a version's own rows takes a slice.
        read = [str(q["sql"]) for q in seen]
        assert [q for q in read if '"example_ids"' in q or '"row_weights"' in q] == [], name
