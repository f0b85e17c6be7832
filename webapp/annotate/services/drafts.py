"""Work in progress. A draft is never overwritten by someone who has not seen it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import transaction

from webapp.accounts.models import User
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import Assignment, Draft
from webapp.annotate.payload import text_check
from webapp.annotate.services.claims import assignment_locked, lease_end

MOST_BYTES = 64 * 1024


@transaction.atomic
def draft_save(*, user: User, token: UUID, payload: dict[str, Any], revision: int) -> Draft:
    """Save the draft of a claim. ``revision`` is the one this writer saw last, 0 for none.

    Drafts outlive the lease. Repeating a save whose reply was lost changes nothing. Typing counts as a
    sign of life.

    Raises:
        Assignment.DoesNotExist: not this person's.
        PayloadInvalid: larger than 64 KiB, or text that cannot be stored.
        AnnotateConflict: answered already, or a newer draft exists (returned in ``data``).
    """
    text_check(payload)
    if len(json.dumps(payload)) > MOST_BYTES:
        raise PayloadInvalid([f"A draft may have at most {MOST_BYTES // 1024} KiB."])
    assignment = assignment_locked(user, token)
    if assignment.state in (Assignment.State.SUBMITTED, Assignment.State.RELEASED):
        raise AnnotateConflict("already_answered", "You have already answered or skipped this item.")
    if assignment.state == Assignment.State.ACTIVE:
        Assignment.objects.filter(pk=assignment.pk).update(lease_until=lease_end())
    draft = Draft.objects.filter(assignment=assignment).first()
    if draft is None:
        return Draft.objects.create(assignment=assignment, payload=payload)
    draft.assignment = assignment
    if draft.payload == payload:
        return draft
    if draft.revision != revision:
        raise AnnotateConflict(
            "draft_conflict",
            "This item was changed in another window.",
            {"draft": {"payload": draft.payload, "revision": draft.revision}},
        )
    draft.payload, draft.revision = payload, draft.revision + 1
    draft.save()
    return draft
