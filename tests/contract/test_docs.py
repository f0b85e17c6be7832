"""The documents say what the code does."""

import re

import pytest

from loop.stages import NEXT
from webapp.embedded.layout import ROOT
from webapp.metrics.reference import rewritten

COMMANDS = sorted(
    p.stem for p in ROOT.glob("webapp/*/management/commands/*.py") if not p.stem.startswith("_")
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_architecture_draws_the_transition_table():
    table = read("ARCHITECTURE.md").split("<!-- stages -->")[1].split("<!-- /stages -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    drawn = {stage: {s.strip() for s in after.split(",") if s.strip()} for stage, after, *_ in rows}
    assert drawn == {stage.value: {s.value for s in after} for stage, after in NEXT.items()}


@pytest.mark.parametrize(
    "path", ["loop/methods/lmsi.py", "loop/recipes/lmsi.yaml", "tests/loop/methods/test_lmsi.py"]
)
def test_contributing_shows_the_method_as_it_is(path):
    assert read(path) in read("CONTRIBUTING.md")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    assert f"`{name}" in read("docs/commands.md")


def test_dashboards_list_the_alarms_and_metrics_there_are():
    page = read("docs/dashboards.md")
    assert page == rewritten(page), "run .venv/bin/python -m webapp.metrics.reference"


def test_links_between_documents_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
