"""Models are imported inside the fixtures: this file is read before Django is set up."""

import uuid

import pytest


@pytest.fixture
def make():
    from tests import factories

    return factories


@pytest.fixture
def project(db, make):
    return make.project_make()


@pytest.fixture
def iteration(project, make):
    return make.iteration_make(project)


@pytest.fixture
def person(project, make):
    return make.member_make(project)


@pytest.fixture
def answer():
    """A valid critique of the default three-step response: the second step is the first error."""
    return {"marks": [1, -1, None], "first_error": 1, "verdict": "wrong", "corrections": {"1": "4 + 1 = 5"}}


@pytest.fixture
def submit(answer):
    from webapp.annotate import services

    def go(claim, **values):
        values = {"user": claim.user, "payload": answer, "submit_key": uuid.uuid4(), **values}
        return services.annotation_submit(assignment_token=claim.token, **values)

    return go
