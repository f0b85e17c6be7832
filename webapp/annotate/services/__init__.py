"""Every write of annotation.

Locks are always taken in the order iteration, assignment, tasks by id, answer: no deadlock.
"""

from webapp.annotate.services.answers import annotation_revise, annotation_submit
from webapp.annotate.services.asking import tasks_ask
from webapp.annotate.services.claims import (
    assignment_claim,
    assignment_heartbeat,
    assignment_release,
    assignments_hand_back,
    assignments_sweep,
)
from webapp.annotate.services.drafts import draft_save
from webapp.annotate.services.flags import flag_raise, flag_resolve
from webapp.annotate.services.gold import gold_check, gold_make
from webapp.annotate.services.queues import QueueRefused, cursors_forget, queue_set, tasks_invite
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
from webapp.annotate.services.reordering import queue_reorder
from webapp.annotate.services.review import adjudicate, answer_reject, answer_send_back, answers_accept
from webapp.annotate.services.tasks import tasks_close, tasks_create

__all__ = [
    "QueueRefused",
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
    "cursors_forget",
    "draft_save",
    "flag_raise",
    "flag_resolve",
    "gold_check",
    "gold_make",
    "queue_reorder",
    "queue_set",
    "regeneration_ask",
    "regeneration_cancel",
    "regeneration_claim",
    "regeneration_fail",
    "regeneration_finish",
    "regeneration_heartbeat",
    "regeneration_release",
    "regenerations_sweep",
    "tasks_ask",
    "tasks_close",
    "tasks_create",
    "tasks_invite",
]
