"""Importing prompts: all or nothing, each once, a family in one split only."""

import pytest

from loop.domains.arithmetic.generate import generate
from loop.prompts.families import family_hash
from loop.prompts.readers import PromptFileError, PromptRow
from loop.records import Message, Split
from tests import factories as make
from webapp.projects.models import AuditEvent, Prompt, PromptFamily
from webapp.projects.services import ImportRefused, Placement, prompts_add, prompts_import

pytestmark = pytest.mark.django_db
TRAIN = Placement(split=Split.TRAIN)


def row(line, text, reference=None, **meta):
    return PromptRow(line, (Message("user", text),), family_hash(text), reference, meta)


@pytest.fixture
def project():
    return make.project_make()


def test_rows_become_prompts(project):
    report = prompts_import(
        project=project,
        rows=[row(1, "2 and 2?", "4"), row(2, "Why?")],
        placement=TRAIN,
        verifier="math_answer",
    )
    assert (report.read, report.imported, report.with_reference) == (2, 2, 1)
    assert report.by_split == {"train": 2}
    first, second = Prompt.objects.order_by("id")
    assert (first.text, first.reference, first.verifier) == ("2 and 2?", "4", "math_answer")
    assert (second.reference, second.verifier) == (None, "")  # nothing to check against: no checker
    assert AuditEvent.objects.get().data == {"imported": 2, "duplicates": 0, "train": 2}


def test_duplicates_are_reported_by_line_and_left_out(project):
    rows = [row(1, "One?"), row(2, "Two?"), row(3, "One?")]
    assert prompts_import(project=project, rows=rows, placement=TRAIN).duplicates == [3]
    again = prompts_import(project=project, rows=rows, placement=TRAIN)
    assert (again.imported, again.duplicates) == (0, [1, 2, 3])
    assert Prompt.objects.count() == 2


def test_near_copies_share_a_family_and_are_counted(project):
    report = prompts_import(project=project, rows=[row(1, "One more?"), row(2, "one  MORE")], placement=TRAIN)
    assert (report.imported, report.alike) == (2, 1)
    assert PromptFamily.objects.count() == 1


def test_a_family_never_comes_into_a_second_split(project):
    prompts_import(project=project, rows=[row(1, "One more?")], placement=TRAIN)
    heldout = Placement(split=Split.HELDOUT)
    report = prompts_import(project=project, rows=[row(5, "one more"), row(6, "Else?")], placement=heldout)
    assert report.elsewhere == {5: "train"}
    assert report.by_split == {"heldout": 1}


def test_other_projects_do_not_matter(project):
    prompts_import(project=project, rows=[row(1, "One?")], placement=TRAIN)
    other = prompts_import(
        project=make.project_make(), rows=[row(1, "One?")], placement=Placement(split=Split.PROBE)
    )
    assert other.imported == 1


def test_an_error_anywhere_imports_nothing(project, monkeypatch):
    monkeypatch.setattr("webapp.projects.services.prompts.BATCH", 2)

    def rows():
        yield from (row(n, f"Question {n}?") for n in range(1, 6))
        raise PromptFileError(6, "not JSON")

    with pytest.raises(PromptFileError, match="line 6"):
        prompts_import(project=project, rows=rows(), placement=TRAIN)
    assert not Prompt.objects.exists()
    assert not PromptFamily.objects.exists()
    assert not AuditEvent.objects.exists()


def test_families_hold_across_batches(project, monkeypatch):
    monkeypatch.setattr("webapp.projects.services.prompts.BATCH", 1)
    rows = [row(1, "One?"), row(2, "ONE"), row(3, "One?"), row(4, "Two?")]
    report = prompts_import(project=project, rows=rows, placement=TRAIN)
    assert (report.imported, report.alike, report.duplicates) == (3, 1, [3])


def test_dry_run_reports_the_same_and_stores_nothing(project):
    rows = [row(1, "One?"), row(2, "One?"), row(3, "Two?", "2")]
    dry = prompts_import(project=project, rows=rows, placement=TRAIN, dry_run=True)
    assert not Prompt.objects.exists()
    assert not AuditEvent.objects.exists()
    real = prompts_import(project=project, rows=rows, placement=TRAIN)
    assert {**dry.as_dict(), "dry_run": False} == real.as_dict()


def test_ratios_keep_families_whole(project):
    rows = [row(n, f"Question {n // 2} of many{'!' * (n % 2)}") for n in range(200)]
    placement = Placement(ratios={Split.TRAIN: 0.5, Split.HELDOUT: 0.5})
    report = prompts_import(project=project, rows=rows, placement=placement)
    assert report.imported == 200
    assert 60 < report.by_split["train"] < 140
    assert not report.elsewhere


def test_own_ids(project):
    prompts_import(project=project, rows=[row(1, "One?", qid=17)], placement=TRAIN, id_field="qid")
    assert Prompt.objects.get().external_id == "17"
    assert Prompt.objects.get().meta == {}
    with pytest.raises(ImportRefused, match="line 3: the id is 201 characters"):
        prompts_import(project=project, rows=[row(3, "Two?", qid="x" * 201)], placement=TRAIN, id_field="qid")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"verifier": "oracle"}, "no checker called 'oracle'"),
        ({"placement": Placement()}, "ratios must be positive"),
        ({"placement": Placement(ratios={Split.TRAIN: -1.0})}, "ratios must be positive"),
    ],
)
def test_what_cannot_be_asked(project, values, why):
    with pytest.raises(ImportRefused, match=why):
        prompts_import(project=project, rows=[row(1, "One?")], **{"placement": TRAIN, **values})


@pytest.mark.parametrize("text", ["everywhere", "train=much", "attic=1"])
def test_places_that_do_not_exist(text):
    with pytest.raises(ImportRefused, match="expected train, heldout or probe"):
        Placement.parse(text)


def test_places_are_read():
    assert Placement.parse("probe").split is Split.PROBE
    assert Placement.parse("train=0.8, heldout=.2").ratios == {Split.TRAIN: 0.8, Split.HELDOUT: 0.2}


def test_generated_prompts_keep_their_split_family_and_id(project):
    made = [*generate(5, 1, Split.TRAIN), *generate(3, 2, Split.HELDOUT)]
    report = prompts_add(project=project, records=made)
    assert report.by_split == {"train": 5, "heldout": 3}
    stored = {p.external_id: p for p in Prompt.objects.all()}
    for prompt in made:
        assert (stored[prompt.id].split, stored[prompt.id].family) == (prompt.split, prompt.family)
        assert stored[prompt.id].meta["domain"] == "arithmetic"
    assert prompts_add(project=project, records=made).imported == 0


def test_the_number_of_queries_grows_with_batches_not_rows(project, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):  # savepoint in and out, lock, two reads, two inserts, audit
        prompts_import(project=project, rows=[row(n, f"Question {n}?") for n in range(500)], placement=TRAIN)
