"""Preference data: better over worse, as steps on a shared prefix or as whole responses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from loop.annotate.aggregate import agreed_preference
from loop.curate.branches import branch_pairs
from loop.curate.material import (
    SAME,
    Accept,
    Candidate,
    Judged,
    Material,
    capped,
    corrected_step,
    good_prefix,
    judged,
    normalised,
)
from loop.curate.samples import CUT, REPEAT
from loop.curate.trajectories import NO_CORRECTION, better_versions, version_reason
from loop.dialects import Dialect
from loop.phrases import phrase
from loop.records import Critique, Origin, Preference, Response, RowKind, TrainRow


def step_pairs(
    materials: Iterable[Material], *, dialect: Dialect, accept: Accept = "verifier", max_per_prompt: int = 10
) -> list[Candidate]:
    """Corrected step over first wrong step, both on the good prefix; a step that is not last never ends.

    Without a corrected step, the first step of accepted continuations stands in for it. Where people
    rated alternatives from a step on, each step they liked stands over each they found wrong.
    """
    candidates: list[Candidate] = []
    for material in materials:
        mine: list[Candidate] = []
        for response in material.responses:
            people = material.people_on(response)
            if people.critique is None:
                continue
            pairs: list[Candidate] = []
            if people.critique.first_error is not None:
                pairs = _pairs_at_error(material, response, people.critique, people.sources, dialect, accept)
            known = {_key(c) for c in pairs if c.kept}
            rated = branch_pairs(material, response, people.critique, people.sources, dialect)
            mine += pairs + [c for c in rated if _key(c) not in known]  # the same fact twice is no drop
        candidates += capped(mine, max_per_prompt, phrase("step pairs"))
    return candidates


def _key(candidate: Candidate) -> tuple[str, ...] | None:
    row = candidate.row
    if row is None:
        return None
    return tuple(normalised(text) for text in (row.prefix, row.chosen, row.rejected or ""))


def _pairs_at_error(
    material: Material,
    response: Response,
    critique: Critique,
    sources: tuple[str, ...],
    dialect: Dialect,
    accept: Accept,
) -> list[Candidate]:
    error = critique.first_error
    assert error is not None
    wrong = response.steps[error]
    better = _better_steps(material, response, critique, dialect, accept)
    if not better:
        return [
            Candidate(
                RowKind.STEP_PAIR, material.prompt.id, None, response.id, sources, "people", NO_CORRECTION
            )
        ]
    prefix = good_prefix(response, critique)
    found, seen = [], set()
    for text, last, by in better:
        same = normalised(text) == normalised(wrong.text)
        reason = SAME if same else REPEAT if normalised(text) in seen else ""
        seen.add(normalised(text))
        row = TrainRow(
            RowKind.STEP_PAIR,
            material.prompt.id,
            dialect.solve(material.prompt),
            chosen=text,
            rejected=wrong.text,
            prefix=prefix,
            # One flag for both sides: only where both close the turn may the end token be learned.
            ends=last and error == len(response.steps) - 1 and response.finish == "stop",
        )
        found.append(Candidate(row.kind, row.prompt_id, row, response.id, sources, by, reason))
    return found


def _better_steps(
    material: Material, response: Response, critique: Critique, dialect: Dialect, accept: Accept
) -> list[tuple[str, bool, str]]:
    """(text, closes the turn, accepted by) of what should stand at the first error."""
    error = critique.first_error
    assert error is not None
    if (step := corrected_step(response, critique)) is not None:
        return [(step, dialect.read_answer(step) is not None, "people")]
    found = []
    prefix = good_prefix(response, critique)
    for version in better_versions(material, response, critique):
        reason, by = version_reason(material, version, critique, accept)
        shared = version.text.startswith(prefix)  # one that parts earlier says nothing about this step
        if not reason and shared and len(version.steps) > error:
            found.append((version.steps[error].text, error == len(version.steps) - 1, by))
    return found


def preference_pairs(
    materials: Iterable[Material], *, dialect: Dialect, accept: Accept = "verifier", max_per_prompt: int = 10
) -> list[Candidate]:
    """Whole-response pairs: what people preferred, then accepted responses over refused ones."""
    candidates: list[Candidate] = []
    for material in materials:
        pairs = [
            *_preferred(material, dialect),
            *_accepted_over_refused(material, dialect, accept, max_per_prompt),
        ]
        seen: set[tuple[str, str]] = set()
        mine = []
        for candidate in pairs:
            if candidate.kept and candidate.row is not None:
                key = (normalised(candidate.row.chosen), normalised(candidate.row.rejected or ""))
                if key in seen:
                    continue  # the same pair twice is one fact, not a drop
                seen.add(key)
            mine.append(candidate)
        candidates += capped(mine, max_per_prompt, phrase("pairs"))
    return candidates


def _pair(
    material: Material,
    dialect: Dialect,
    better: Response,
    worse: Response,
    by: str,
    sources: tuple[str, ...],
    weight: float = 1.0,
    target: float = 1.0,
) -> Candidate:
    row = TrainRow(
        RowKind.PREFERENCE,
        material.prompt.id,
        dialect.solve(material.prompt),
        chosen=better.text.strip(),
        rejected=worse.text.strip(),
        weight=weight,
        target=target,
    )
    reason = SAME if normalised(better.text) == normalised(worse.text) else ""
    if "length" in (better.finish, worse.finish):
        reason = CUT  # with the end token added, a cut text would teach where to stop
    return Candidate(RowKind.PREFERENCE, row.prompt_id, row, better.id, sources, by, reason)


def _preferred(material: Material, dialect: Dialect) -> list[Candidate]:
    groups: dict[frozenset[str], list[Preference]] = defaultdict(list)
    for preference in material.preferences:
        groups[frozenset(preference.response_ids)].append(preference)
    found: list[Candidate] = []
    for preferences in groups.values():
        agreed = agreed_preference(preferences)
        choice = agreed.preference
        reason = agreed.reason
        ordered = [] if choice is None or choice.all_bad else _ordered_pairs(choice)
        if choice is not None and not ordered:
            reason = (
                phrase("people call all of them bad") if choice.all_bad else phrase("people call it a tie")
            )
        if choice is None or not ordered:
            found.append(
                Candidate(
                    RowKind.PREFERENCE, material.prompt.id, None, None, agreed.sources, "people", reason
                )
            )
            continue
        rows = [material.response(pk) for pk in choice.response_ids]
        for better, worse in ordered:
            best, other = rows[better], rows[worse]
            if best is not None and other is not None:
                target = _chance(preferences, choice)
                found.append(_pair(material, dialect, best, other, "people", agreed.sources, target=target))
    return found


def _chance(preferences: list[Preference], choice: Preference) -> float:
    """The chance that the better side is the better one: a half for no strength, 1 for all of it; the mean of
    those who agreed. The strength that a person gives is used as it is."""
    best = choice.winner if choice.winner is None else choice.options[choice.winner]
    side = [p.strength for p in preferences if p.winner is not None and p.options[p.winner] == best]
    return 0.5 + (sum(side) / len(side) if side else choice.strength) / 2


def _ordered_pairs(choice: Preference) -> list[tuple[int, int]]:
    """Who is better than whom: the winner than all others, then what a ranking says of the rest."""
    count, winner = len(choice.response_ids), choice.winner
    pairs = [(winner, other) for other in range(count) if winner is not None and other != winner]
    for place, group in enumerate(choice.ranking):
        below = [other for lower in choice.ranking[place + 1 :] for other in lower]
        pairs += [(better, worse) for better in group for worse in below if better != winner]
    return pairs


def _accepted_over_refused(
    material: Material, dialect: Dialect, accept: Accept, limit: int
) -> list[Candidate]:
    """The n-th accepted response over the n-th refused one: varied pairs, none used twice before all are."""
    whole = [
        r for r in material.responses if r.origin in (Origin.SAMPLE, Origin.REFINEMENT) and r.finish == "stop"
    ]
    known: list[tuple[Response, Judged]] = [(r, judged(material, r, accept)) for r in whole]
    right = _distinct([(r, j) for r, j in known if j.right is True])
    wrong = _distinct([(r, j) for r, j in known if j.right is False])
    if not right or not wrong:
        if not known:
            return []
        reason = (
            phrase("no accepted response to prefer")
            if not right
            else phrase("no refused response to compare with")
        )
        return [Candidate(RowKind.PREFERENCE, material.prompt.id, None, None, (), accept, reason)]
    found = []
    for n in range(min(limit, max(len(right), len(wrong)))):
        (better, why), (worse, why_not) = right[n % len(right)], wrong[n % len(wrong)]
        by = "people" if "people" in (why.by, why_not.by) else accept
        weight = 1.0 if by == "people" else _margin(material, better, worse, accept)
        found.append(_pair(material, dialect, better, worse, by, (*why.sources, *why_not.sources), weight))
    return found


def _margin(material: Material, better: Response, worse: Response, accept: Accept) -> float:
    """By how much the model's own votes prefer one to the other: the weight of the pair in self-consistency
    preference optimisation (Prasad et al., 2024, arXiv:2411.04109). 1 where nothing was voted."""
    if accept != "self_verdict":
        return 1.0
    votes = {s.response_id: s.value for s in material.scores if s.name == accept}
    ahead, behind = votes.get(better.id), votes.get(worse.id)
    return 1.0 if ahead is None or behind is None or ahead <= behind else ahead - behind


def _distinct(known: list[tuple[Response, Judged]]) -> list[tuple[Response, Judged]]:
    return list({normalised(r.text): (r, j) for r, j in reversed(known)}.values())[::-1]
