"""The pages of curation: who sees what, what they say, and that a page costs the same whatever there is."""

import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from loop.annotate.formats import training_names
from loop.curate.formats import NOTES, format_names, written
from tests import factories as make
from tests.webapp.curate.support import example_make
from webapp.curate.models import DatasetVersion, Example, Rejection
from webapp.curate.services import dataset_freeze
from webapp.curate.versions import stacks, versions_diff
from webapp.projects.models import Role
from webapp.registry.services import base_register

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def iteration():
    project = make.project_make(slug="sums")
    base_register(project=project)
    return make.iteration_make(project)


@pytest.fixture
def lead(client, iteration):
    user = make.member_make(iteration.project, role=Role.LEAD)
    client.force_login(user, backend=BACKEND)
    return user


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def frozen(iteration, *examples, **values):
    return dataset_freeze(project=iteration.project, examples=examples, **values)


def link(name, *args, **query):
    address = reverse(name, args=["sums", *args])
    return f"{address}?{'&'.join(f'{k}={v}' for k, v in query.items())}" if query else address


# -------------------------------------------------------------------------------------------- the list
def test_filters_find_what_they_name(client, lead, iteration):
    base = iteration.project.model_versions.get()
    apples = make.prompt_make(iteration.project, "How many pears?")
    kinds = {
        "a": example_make(iteration, apples, accepted_by="people", writer="person"),
        "b": example_make(iteration, kind="trajectory", model_version=base),
        "c": example_make(make.iteration_make(iteration.project), writer="unknown"),
    }
    control = make.iteration_make(iteration.project, arm="shuffled", control_of=iteration)
    kinds["d"] = example_make(control)

    def found(**query):
        page = client.get(link("examples", **query)).context["found"]
        return "".join(name for name, e in kinds.items() if e in page.rows)

    assert found() == "abc"
    assert found(q="PEARS") == found(source="people") == found(age="people") == "a"
    assert found(kind="trajectory") == found(age=0) == "b"
    assert found(age="unknown") == found(iteration=2) == "c"
    assert found(iteration=3) == "d"
    assert found(q="pears", kind="trajectory") == ""
    assert found(kind="nonsense", age="-1", iteration="x") == "abc"
    assert client.get(link("examples", kind="", q="x")).headers["Location"].endswith("?q=x")
    assert "No example fits" in text_of(client.get(link("examples", q="plums")))


def test_the_list_goes_on_by_key_and_costs_the_same(
    client, lead, iteration, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr("webapp.curate.listing.PER_PAGE", 2)
    rows = [example_make(iteration) for _ in range(3)]
    client.get(link("examples"))
    with django_assert_num_queries(19):
        first = client.get(link("examples"))
    assert first.context["found"].rows == [rows[2], rows[1]]
    second = client.get(f"{link('examples')}?{first.context['older']}")
    assert second.context["found"].rows == [rows[0]]
    rows += [example_make(iteration) for _ in range(6)]
    with django_assert_num_queries(19):
        assert client.get(link("examples")).context["found"].count == 9


def test_annotators_see_no_rows_of_prompts_they_may_be_asked_about(client, iteration):
    task = make.task_make(iteration)
    asked, other = example_make(iteration, task.prompt), example_make(iteration)
    version = frozen(iteration, asked, other)
    user = make.member_make(iteration.project)
    client.force_login(user, backend=BACKEND)
    page = client.get(link("examples"))
    assert page.context["found"].rows == [other]
    assert "Reject ticked" not in text_of(page)
    assert client.get(link("example", asked.pk)).status_code == 404
    assert [r.example for r in client.get(link("dataset", version.number)).context["rows"]] == [other]
    for address in (link("dataset_new"), link("dataset_export", version.number)):
        assert client.get(address).status_code == 403
    assert client.post(link("examples_decide"), {"pk": other.pk, "do": "reject"}).status_code == 403
    assert client.get(link("dataset_card", version.number)).status_code == 200
    client.force_login(make.user_make(), backend=BACKEND)
    assert client.get(link("examples")).status_code == 404


# ------------------------------------------------------------------------------------------- rejecting
def test_rejecting_by_filter_asks_first_counts_and_can_be_undone(client, lead, iteration):
    bad = [example_make(iteration, kind="critique") for _ in range(3)]
    good = example_make(iteration)
    asked = {"all": "1", "do": "reject", "kind": "critique"}
    page = client.post(link("examples_decide"), asked)
    assert "Reject 3 examples?" in text_of(page)
    assert not Rejection.objects.exists()
    late = example_make(iteration, kind="critique")  # not among those that were counted
    sure = {**asked, "confirmed": "1", "until": page.context["until"]}
    assert client.post(link("examples_decide"), {**sure, "reason": " "}).status_code == 422
    done = client.post(link("examples_decide"), {**sure, "reason": "They name no step."}, follow=True)
    assert "3 examples are rejected" in text_of(done)
    assert set(Example.objects.filter(rejected=None)) == {good, late}
    rejection = Rejection.objects.get()
    assert (rejection.by, rejection.filters, rejection.count) == (lead, {"kind": "critique"}, 3)
    assert set(client.get(link("examples", state="rejected")).context["found"].rows) == set(bad)
    assert "They name no step." in text_of(client.get(link("example", bad[0].pk)))
    one = {"pk": [bad[0].pk], "do": "accept"}
    assert "Accept 1 example again?" in text_of(client.post(link("examples_decide"), one))
    client.post(link("examples_decide"), {**one, "confirmed": "1"})
    done = client.post(link("rejection_undo", rejection.pk), follow=True)
    assert "2 examples are accepted again." in text_of(done)
    assert "undone before" in text_of(client.post(link("rejection_undo", rejection.pk), follow=True))
    assert not Example.objects.exclude(rejected=None).exists()


def test_nothing_ticked_is_said(client, lead, iteration):
    assert "Nothing is chosen" in text_of(client.post(link("examples_decide"), {"do": "reject"}))


# --------------------------------------------------------------------------------------------- lineage
def test_an_example_shows_where_it_came_from_and_what_it_became(
    client, lead, iteration, django_assert_max_num_queries
):
    task = make.task_make(iteration)
    answer = task.annotations.create(user=lead, submit_key="0" * 32, payload={})
    base = iteration.project.model_versions.get()
    row = {"masked": [[0, 5]], "prefix": "So far."}
    example = example_make(
        iteration, task.prompt, response=task.response, model_version=base, chosen="wrong, right", row=row
    )
    example.annotations.add(answer)
    version = frozen(iteration, example)
    base.dataset_version = version
    base.save()
    with django_assert_max_num_queries(17):
        page = text_of(client.get(link("example", example.pk)))
    for said in ("wrong</s>, right", "So far.", link("task", task.pk), link("dataset", 1), link("model", 1)):
        assert said in page
    assert "age 0" in page


# -------------------------------------------------------------------------------------------- freezing
def test_the_preview_counts_what_freezing_then_gives(client, lead, iteration):
    for by in ("people", "verifier", "verifier", "verifier"):
        example_make(iteration, accepted_by=by)
    wish = {"share_people": "50", "weight_people": "2", "leak_ngram": "8", "leak_share": "70", "note": "even"}
    preview = text_of(client.post(link("dataset_preview"), wish))
    assert "2 rows" in preview
    assert "thinned out for the wanted shares" in preview
    assert not DatasetVersion.objects.exists()
    done = client.post(link("dataset_new"), {**wish, "do": "freeze"}, follow=True)
    assert "Dataset version 1 is frozen." in text_of(done)
    version = DatasetVersion.objects.get()
    assert (version.row_count, version.created_by, version.note) == (2, lead, "even")
    assert sorted(version.row_weights) == [1.0, 2.0]
    again = client.post(link("dataset_new"), {**wish, "do": "freeze"}, follow=True)
    assert "frozen before" in text_of(again)
    refused = client.post(link("dataset_new"), {**wish, "share_verifier": "60", "do": "freeze"})
    assert refused.status_code == 422
    assert "together they must not exceed 1" in text_of(refused)
    none = client.post(link("dataset_new"), {"kinds": ["critique"], "do": "freeze"})
    assert "No row is left to freeze" in text_of(none)
    assert "4 rows" in text_of(client.get(link("dataset_new")))


# -------------------------------------------------------------------------------------- versions, diff
def test_a_version_page_and_its_card(client, lead, iteration, django_assert_max_num_queries):
    examples = [example_make(iteration, accepted_by=by) for by in ("people", "verifier")]
    manifest = {"ages": {"0": 1, "people": 1}, "simulated": 1, "answered": 1, "left_out": {"too old": 4}}
    frozen(iteration, *examples, manifest=manifest, note="# a [note](x)")
    with django_assert_max_num_queries(18):
        page = text_of(client.get(link("dataset", 1)))
    for said in ("1 row rests on an answer of a program", "too old", "age 0", "runs/new/?dataset=1"):
        assert said in page
    card = client.get(link("dataset_card", 1)).content.decode()
    for said in (
        "# Dataset version 1 of Project", "\\# a \\[note\\](x)", "| people | 1 |", "| too old | 4 |",
        "**1 of them on answers of simulated annotators", "Agreement is unknown",
        DatasetVersion.objects.get().sha256,
        "Near-copies were not looked for", "Licences and origins of the prompts were not recorded",
    ):  # fmt: skip
        assert said in card
    assert client.get(link("dataset", 2)).status_code == 404


def test_two_versions_by_hand(client, lead, iteration, django_assert_num_queries):
    kept, gone, weighed, new = (example_make(iteration, accepted_by="people") for _ in range(4))
    before = frozen(iteration, kept, gone, weighed)
    after = frozen(iteration, new, weighed, kept, weights={weighed.pk: 0.5})
    with django_assert_num_queries(2):
        diff = versions_diff(before, after)
    assert diff.totals == {"added": 1, "removed": 1, "reweighted": 1, "kept": 1}
    assert [(c.kind, c.source) for c in diff.lines] == [("sample", "people")]
    assert diff.prompts == 3
    page = client.get(link("datasets_diff", a=1, b=2, state="reweighted"))
    assert [(r.example, r.before, r.after) for r in page.context["rows"]] == [(weighed, 1.0, 0.5)]
    assert client.get(link("datasets_diff", a=1, b=2)).context["state"] == "added"
    assert client.get(link("datasets_diff", a=1, b=9)).status_code == 404
    assert "Train on" not in text_of(client.get(link("datasets")))
    same = versions_diff(before, before).totals
    assert same == {"added": 0, "removed": 0, "reweighted": 0, "kept": 3}


def test_stacks_by_hand():
    found = stacks({"sample": {"verifier": 3, "people": 1}, "critique": {"people": 2}})
    assert [(s.label, s.count) for s in found] == [("sample", 4), ("critique", 2)]
    assert [(p.source, p.start, p.width) for p in found[0].parts] == [("people", 0, 25), ("verifier", 25, 75)]
    assert found[1].parts[0].width == 50


# ---------------------------------------------------------------------------------------------- export
def test_rows_in_the_formats_of_trainers():
    ask = {"messages": [{"role": "user", "content": "1 + 1?"}], "weight": 2.0, "ends": True, "prefix": "So "}
    text = {**ask, "kind": "trajectory", "chosen": "2"}
    pair = {**ask, "kind": "step_pair", "chosen": "2", "rejected": "3", "ends": False}
    outcome = {**ask, "kind": "outcome", "prefix": "", "chosen": "3", "label": False}
    steps = {**ask, "kind": "step_labels", "prefix": "", "chosen": "a\nb", "steps": [[1, 1.0], [3, 0.0]]}
    beside = {"weight": 2.0, "ends": True, "kind": "trajectory"}
    prompt = [{"role": "user", "content": "1 + 1?"}]

    def says(words):
        return [{"role": "assistant", "content": words}]

    assert written("trl_prompt_completion", text) == [
        {"prompt": prompt, "completion": says("So 2"), **beside}
    ]
    assert written("trl_prompt_completion", {**text, "masked": [[0, 1]]}) == []
    (made,) = written("trl_preference", pair)
    assert (made["chosen"], made["rejected"], made["ends"]) == (says("So 2"), says("So 3"), False)
    assert [(r["completion"], r["label"]) for r in written("trl_kto", pair)] == [
        (says("So 2"), True), (says("So 3"), False),
    ]  # fmt: skip
    assert written("trl_kto", outcome)[0]["label"] is False
    assert written("trl_stepwise", steps) == [
        {"prompt": "1 + 1?", "completions": ["a", "b"], "labels": [True, False], "weight": 2.0}
    ]
    assert written("rows", pair) == [pair]
    assert [written(name, outcome) for name in ("trl_preference", "trl_stepwise")] == [[], []]
    assert set(NOTES) == set(format_names())
    assert {"trl_preference", "trl_stepwise"} <= set(training_names())  # one name, one shape
    with pytest.raises(LookupError, match="no format 'csv'"):
        written("csv", text)


def test_download_and_command_give_the_same_rows(client, lead, iteration, tmp_path):
    rows = [example_make(iteration), example_make(iteration, kind="critique")]
    frozen(iteration, *rows, weights={rows[0].pk: 2.0})
    response = client.get(link("dataset_export", 1, format="rows"))
    body = b"".join(response.streaming_content)
    lines = [json.loads(line) for line in body.splitlines()]
    assert [(r["chosen"], r["weight"]) for r in lines] == [
        (rows[0].row["chosen"], 2.0), (rows[1].row["chosen"], 1.0),
    ]  # fmt: skip
    target = tmp_path / "d.jsonl"
    call_command("dataset_export", project="sums", output=str(target), verbosity=0, stdout=StringIO())
    assert target.read_bytes() == body
    manifest = json.loads((tmp_path / "d.jsonl.manifest.json").read_text())
    assert (manifest["rows"], manifest["written"], manifest["left_out"]) == (2, 2, 0)
    assert (tmp_path / "d.jsonl.card.md").read_text().startswith("# Dataset version 1")
    rows[0].delete()
    gone = client.get(link("dataset_export", 1), follow=True)
    assert "dataset 1 lists 2 examples, 1 exist" in text_of(gone)
    with pytest.raises(CommandError, match="lists 2 examples"):
        call_command("dataset_export", project="sums", output=str(target), stdout=StringIO())
    with pytest.raises(CommandError, match="no dataset version 7"):
        call_command("dataset_export", project="sums", dataset=7)
