"""Every write of annotation.

Locks are always taken in the order iteration, assignment, tasks by id, answer: no deadlock.
"""

from webapp.annotate.services.answers import annotation_revise, annotation_submit
from webapp.annotate.services.claims import (
    assignment_claim,
    assignment_heartbeat,
    assignment_release,
    assignments_hand_back,
    assignments_sweep,
)
from webapp.annotate.services.drafts import draft_save
from webapp.annotate.services.regeneration import (
    RegenerationLost,
    regeneration_ask,
    regeneration_cancel,
    regeneration_claim,
    regeneration_fail,
    regeneration_finish,
    regeneration_heartbeat,
    regeneration_release,
    regenerations_sweep,
)
from webapp.annotate.services.review import adjudicate, answer_reject, answer_send_back, answers_accept
from webapp.annotate.services.tasks import tasks_close, tasks_create

__all__ = [
    "RegenerationLost",
    "adjudicate",
    "annotation_revise",
    "annotation_submit",
    "answer_reject",
    "answer_send_back",
    "answers_accept",
    "assignment_claim",
    "assignment_heartbeat",
    "assignment_release",
    "assignments_hand_back",
    "assignments_sweep",
    "draft_save",
    "regeneration_ask",
    "regeneration_cancel",
    "regeneration_claim",
    "regeneration_fail",
    "regeneration_finish",
    "regeneration_heartbeat",
    "regeneration_release",
    "regenerations_sweep",
    "tasks_close",
    "tasks_create",
]
