"""Outcomes: prompt -> a response that was called right or wrong, for objectives that learn from both.

Label, reward and the prompt's rate come from the same judgements; token ids and log-probabilities are those
of the sample itself, where the material brings them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from loop.curate.material import Accept, Candidate, Judged, Material, capped, judged, normalised
from loop.curate.samples import CUT, REPEAT
from loop.dialects import Dialect
from loop.phrases import phrase
from loop.records import Origin, Response, RowKind, TrainRow

_ORIGINS = (Origin.SAMPLE, Origin.REFINEMENT)


def outcome_rows(
    materials: Iterable[Material], *, dialect: Dialect, accept: Accept = "verifier", max_per_prompt: int = 10
) -> list[Candidate]:
    """One candidate per response the model wrote from the start, right or wrong. People overrule ``accept``.

    ``rate`` is the share of right ones among the prompt's decided samples, repeats and cut ones included:
    an estimate of the chance that the model is right. A text that was sampled several times with one
    outcome is one row that weighs as often, so that rows keep the proportions in which they were sampled.
    Refinements were written in another context: they carry no token ids and do not count in the rate.
    """
    candidates: list[Candidate] = []
    for material in materials:
        known = [(r, judged(material, r, accept)) for r in material.responses if r.origin in _ORIGINS]
        drawn = [found.right for r, found in known if r.origin is Origin.SAMPLE and found.right is not None]
        rate = sum(drawn) / len(drawn) if drawn else None
        first: dict[tuple[Origin, str, bool | None], int] = {}
        mine: list[Candidate] = []
        for response, found in known:
            candidate = _candidate(material, response, found, rate, dialect)
            key = (response.origin, normalised(response.text), found.right)
            if candidate.kept and key in first:
                mine[first[key]] = _once_more(mine[first[key]], candidate)
                candidate = replace(candidate, reason=REPEAT)
            elif candidate.kept:
                first[key] = len(mine)
            mine.append(candidate)
        candidates += capped(mine, max_per_prompt, phrase("outcomes"))
    return candidates


def _candidate(
    material: Material, response: Response, found: Judged, rate: float | None, dialect: Dialect
) -> Candidate:
    row, reason = None, found.reason
    if found.right is not None:
        whole = response.finish != "length"
        sampled = response.origin is Origin.SAMPLE and len(response.logprobs) == len(response.token_ids)
        row = TrainRow(
            RowKind.OUTCOME,
            material.prompt.id,
            dialect.solve(material.prompt),
            chosen=response.text if sampled and response.token_ids else response.text.strip(),
            ends=whole,  # of a cut text nothing follows that could be learned
            label=found.right,
            reward=_reward(material, response, found),
            rate=rate if response.origin is Origin.SAMPLE else None,
            token_ids=response.token_ids if sampled else (),
            logprobs=response.logprobs if sampled else (),
        )
        reason = CUT if found.right and not whole else ""
    return Candidate(RowKind.OUTCOME, material.prompt.id, row, response.id, found.sources, found.by, reason)


def _reward(material: Material, response: Response, found: Judged) -> float:
    """What a checker or scorer gave; of people's and the model's own verdicts, 1 for right, 0 for wrong."""
    if found.by not in ("people", "self_verdict"):  # whose values are shares of votes, not rewards
        for score in material.scores:
            if (score.response_id, score.name) == (response.id, found.by) and score.value is not None:
                return score.value
    return float(found.right is True)


def _once_more(candidate: Candidate, repeat: Candidate) -> Candidate:
    assert candidate.row is not None
    return replace(
        candidate,
        row=replace(candidate.row, weight=candidate.row.weight + 1),
        sources=tuple(dict.fromkeys((*candidate.sources, *repeat.sources))),
    )
