"""Drafts: saved by revision, conflicts reported, never silently overwritten."""

import pytest

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import Assignment


@pytest.fixture
def save(project, iteration, person):
    make.task_make(iteration)
    claim = services.assignment_claim(user=person, project=project)
    return lambda payload, revision: services.draft_save(
        user=person, token=claim.token, payload=payload, revision=revision
    )


def test_revisions_count_up(save):
    assert save({"a": 1}, 0).revision == 1
    assert save({"a": 2}, 1).revision == 2


def test_a_repeat_whose_reply_was_lost_is_harmless(save):
    save({"a": 1}, 0)
    assert save({"a": 1}, 0).revision == 1


def test_a_writer_who_has_not_seen_the_newer_draft_is_told(save):
    save({"a": 1}, 0)
    save({"a": 2}, 1)
    with pytest.raises(AnnotateConflict) as refused:
        save({"a": 3}, 1)
    assert refused.value.code == "draft_conflict"
    assert refused.value.data == {"draft": {"payload": {"a": 2}, "revision": 2}}


def test_a_draft_has_a_size(save):
    with pytest.raises(PayloadInvalid, match="64 KiB"):
        save({"text": "x" * 70_000}, 0)


def test_nobody_else_can_save(save, project):
    save({}, 0)
    with pytest.raises(Assignment.DoesNotExist):
        services.draft_save(
            user=make.member_make(project), token=Assignment.objects.get().token, payload={}, revision=1
        )
