"""The model's critic: against the checker, against a program that knows the steps, and against people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import QuerySet
from django.utils.translation import gettext_noop as _noop

from loop.evaluate.critics import COUNTS, Said, balanced_accuracy, location_counts, verdict_counts
from loop.evaluate.estimates import PromptSums
from loop.evaluate.metric import Metric, Value
from loop.records import Author, Verdict
from loop.stages import Stage
from loop.verify import locator_named
from webapp.iterations.models import Iteration
from webapp.metrics.said import critic_said, people_said
from webapp.registry.selectors import OUTCOME
from webapp.traces.models import Critique
from webapp.traces.selectors import prompt_records

GROUP = "Critic"
ORDER = 80

_CHECK, _PROCESS, _PAPER = "arXiv:2310.04815", "arXiv:2412.06559", "arXiv:2504.19162"
METRICS = (
    Metric("critic_agrees_with_checker", "Critic agrees with the checker", "share", "up",
           "equal verdicts / critiques that decide, of responses with the checker's verdict", _CHECK),
    Metric("critic_balanced_accuracy", "Critic's balanced accuracy", "share", "up", "(TPR + TNR) / 2",
           _PAPER),
    Metric("critic_tpr", "Right responses called right", "share", "up",
           "TPR = called right / right by the checker", _CHECK),
    Metric("critic_tnr", "Wrong responses caught", "share", "up", "TNR = called wrong / wrong by the checker",
           _CHECK),
    Metric("critic_first_error", "First error found", "share", "up",
           "in the very step, or rightly none, by a program that knows the steps / critiques that decide",
           _PROCESS),
    Metric("critic_first_error_near", "First error found within a step", "share", "up",
           "at most one step beside it, or rightly none / critiques that decide", _PROCESS),
    Metric("critic_false_alarm", "False alarms", "share", "down",
           "an error marked / responses that are right by the checker", _PROCESS),
    Metric("critic_unparsed", "Critiques that cannot be read", "share", "down",
           "unreadable / all critiques", _CHECK),
    Metric("critic_agrees_with_people", "Critic agrees with people", "share", "up",
           "equal verdicts / responses on which people and critic decide", _CHECK),
    Metric("critic_first_error_people", "First error found, by people", "share", "up",
           "the same first error, or none in both / responses on which people and critic decide", _PROCESS),
)  # fmt: skip

CHUNK = 5000
MOST_LOCATED = 20_000  # critiques whose responses are read step by step; ids are hashes, so they are a draw


def _against_checker(iteration: Iteration) -> Iterator[Value]:
    sums = PromptSums(*COUNTS, seed=iteration.seed)
    columns = _critiques(iteration).values_list(
        "response__prompt_id", "response__verdict", "verdict", "first_error", "parsed"
    )
    unscored = 0
    for prompt, checker, verdict, first, parsed in columns.iterator(chunk_size=CHUNK):
        said, truth = Said(Verdict(verdict), first, parsed), OUTCOME.get(checker)
        unscored += truth is not None and said.right is None
        sums.add(prompt, verdict_counts(said, truth))
    if not sums:
        return
    yield sums.share("critic_unparsed", "unread", "critiques")
    if sums.total("decided") or unscored:
        yield sums.share("critic_agrees_with_checker", "agrees", "decided", detail={"unscored": unscored})
        yield sums.share("critic_tpr", "right_right", "right", reason=_noop("no response was right"))
        yield sums.share("critic_tnr", "wrong_wrong", "wrong", reason=_noop("no response was wrong"))
        yield sums.share("critic_false_alarm", "alarms", "clean", reason=_noop("no response was right"))
        yield sums.value(
            "critic_balanced_accuracy",
            balanced_accuracy,
            *("right_right", "right", "wrong_wrong", "wrong"),
            n=sums.total("decided"),
            reason=_noop("needs right and wrong responses"),
        )
    yield from _located(iteration)


def _critiques(iteration: Iteration) -> QuerySet[Critique]:
    return Critique.objects.filter(response__iteration=iteration, author_kind=Author.MODEL.value).order_by()


def _located(iteration: Iteration) -> Iterable[Value]:
    """Against programs that know where the first error is; few checkers do."""
    asked = _critiques(iteration).filter(parsed=True)
    names = set(asked.values_list("response__prompt__verifier", flat=True).distinct())
    known = {name: locate for name in names if (locate := locator_named(name)) is not None}
    if not known:
        return []
    drawn = asked.filter(response__prompt__verifier__in=known).order_by("pk")[:MOST_LOCATED]
    rows = list(
        drawn.values_list(
            "response__prompt_id", "response__text", "response__step_spans", "verdict", "first_error"
        )
    )
    prompts = {int(p.id): p for p in prompt_records({prompt for prompt, *_ in rows})}
    sums = PromptSums(*COUNTS, seed=iteration.seed)
    for prompt, text, spans, verdict, first in rows:
        record = prompts[prompt]
        try:
            truth = known[record.verifier](record, [text[start:end] for start, end, *_ in spans])
        except ValueError:
            continue  # not a problem that the program can read: as with its check, an error is no score
        sums.add(prompt, location_counts(Said(Verdict(verdict), first), truth))
    facts = {"by": sorted(known)}
    return [
        sums.share("critic_first_error", "exact", "located", detail=facts),
        sums.share("critic_first_error_near", "close", "located", detail=facts),
    ]


def _against_people(iteration: Iteration) -> Iterable[Value]:
    words = people_said(iteration)
    critics = critic_said(iteration, words)
    sums = PromptSums(*COUNTS, seed=iteration.seed)
    for response, said in critics.items():
        word = words[response]
        if word.right is not None:
            sums.add(word.prompt, verdict_counts(said, word.right))
            sums.add(word.prompt, location_counts(said, word.judged.first_error))
    if not sums:
        return []
    facts = {"unread": sums.total("unread")}
    return [
        sums.share("critic_agrees_with_people", "agrees", "decided", detail=facts),
        sums.share("critic_first_error_people", "exact", "located", detail=facts),
    ]


MEASURES = {Stage.GENERATE: _against_checker, Stage.ANNOTATE: _against_people}
