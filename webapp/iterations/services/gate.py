"""PROMOTE: compare the challenger with champion, base and baseline, decide, and move the pointer or hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from loop.evaluate.comparison import Outcomes
from loop.promote import Blind, Decision, Evidence, Guard, slices_of, with_blind
from loop.promote import decide as gate_decide
from loop.prompts.tags import unanswerable
from loop.recipe_parts import GatePart
from loop.records import Prompt, Split, Verdict
from webapp.iterations import sentences
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import blind
from webapp.iterations.services.baseline import shots_of
from webapp.iterations.services.deciding import compared, decision_write, figures
from webapp.iterations.services.pinning import evaluation_sets, slice_shown
from webapp.projects.models import Project
from webapp.registry import services as registry
from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion
from webapp.registry.selectors import OutcomeRow, evaluation_of, outcome_rows, outcomes_by_prompt
from webapp.traces.selectors import prompt_records

HELDOUT, PROBE = Split.HELDOUT.value, Split.PROBE.value
# Who is measured beside the challenger; the keys of `Measured`.
CHAMPION, CHALLENGER, BASE, BASELINE = "champion", "challenger", "base", "baseline"


class NotMeasured(Exception):
    """An evaluation the gate needs is not there."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One evaluation that the gate needs: who answers which prompts, and how."""

    who: str
    version: ModelVersion
    split: str
    ids: list[int]
    sampling: dict[str, Any]


def sampling_of(iteration: Iteration) -> dict[str, Any]:
    """Greedy, so that the versions differ by their weights alone."""
    return {"temperature": 0.0, "max_new_tokens": recipe_of(iteration).evaluate.max_new_tokens}


def measurements(iteration: Iteration) -> list[Measurement]:
    """Everything the gate compares. The same list however often it is asked."""
    part, sets, sampling = recipe_of(iteration).gate, evaluation_sets(iteration), sampling_of(iteration)
    champion, challenger = iteration.champion, iteration.challenger
    if champion is None or challenger is None:
        return []
    needed = [
        Measurement(who, version, split, ids, sampling)
        for who, version in ((CHAMPION, champion), (CHALLENGER, challenger))
        for split, ids in sets.items()
    ]
    if not sets[HELDOUT]:
        return needed
    base = base_of(iteration.project)
    if part.against_base and base is not None and base.pk != champion.pk:
        needed.append(Measurement(BASE, base, HELDOUT, sets[HELDOUT], sampling))
    if shots := shots_of(iteration, part.shots):
        shown = {**sampling, "shots": shots}
        needed.append(Measurement(BASELINE, champion, HELDOUT, sets[HELDOUT], shown))
    return needed


def base_of(project: Project) -> ModelVersion | None:
    """The bare base model: the first version without an adapter."""
    bare = project.model_versions.filter(adapter_path="", role=ModelVersion.Role.POLICY)
    return bare.order_by("number").first()


@dataclass(frozen=True, slots=True)
class Measured:
    """The evaluations of `measurements`, and their rows, by (who, split)."""

    evaluations: Mapping[tuple[str, str], Evaluation]
    rows: Mapping[tuple[str, str], list[OutcomeRow]]

    def outcomes(self, who: str, split: str) -> dict[str, bool | None]:
        return outcomes_by_prompt(self.rows.get((who, split), []))


def _measured(iteration: Iteration) -> Measured:
    evaluations = {}
    for needed in measurements(iteration):
        if not needed.ids:
            continue
        found = evaluation_of(needed.version, needed.split, registry.prompts_sha(needed.ids, needed.sampling))
        if found is None:
            raise NotMeasured(f"{needed.version.name} was not measured on the {needed.split} prompts")
        evaluations[needed.who, needed.split] = found
    return Measured(evaluations, {key: outcome_rows(found) for key, found in evaluations.items()})


def decision_begin(iteration: Iteration) -> bool:
    """Decide, or ask people to compare first; true when they are asked.

    They are asked only about a challenger that passes everything else: their time is the dearest there is.

    Raises:
        NotMeasured: an evaluation is missing.
    """
    part, measured = recipe_of(iteration).gate, _measured(iteration)
    decision = _weighed(iteration, part, measured)
    if part.blind_pairs and decision.promote and iteration.arm == Iteration.Arm.MAIN:
        asked = blind.blind_tasks_make(
            iteration=iteration,
            champion=measured.evaluations[CHAMPION, HELDOUT],
            challenger=measured.evaluations[CHALLENGER, HELDOUT],
            pairs=part.blind_pairs,
        )
        if asked:
            return True
    _write(iteration, decision, measured, None)
    return False


def decision_end(iteration: Iteration) -> None:
    """Decide once people have compared (or a lead went on without the rest).

    Raises:
        NotMeasured: an evaluation is missing.
    """
    part, measured = recipe_of(iteration).gate, _measured(iteration)
    said = blind.blind_of(iteration)
    _write(iteration, with_blind(_weighed(iteration, part, measured), said, part), measured, said)


def _weighed(iteration: Iteration, part: GatePart, measured: Measured) -> Decision:
    prompts = {
        split: prompt_records([pk for pk, *_ in measured.rows.get((CHAMPION, split), [])])
        for split in (HELDOUT, PROBE)
    }
    evidence = Evidence(
        champion=measured.outcomes(CHAMPION, HELDOUT),
        challenger=measured.outcomes(CHALLENGER, HELDOUT),
        base=measured.outcomes(BASE, HELDOUT) if (BASE, HELDOUT) in measured.rows else None,
        baseline=measured.outcomes(BASELINE, HELDOUT) if (BASELINE, HELDOUT) in measured.rows else None,
        guards=_guards(iteration, measured, prompts),
        slices=slices_of(prompts[HELDOUT]),
        tokens=(_tokens(measured, CHAMPION), _tokens(measured, CHALLENGER)),
    )
    return gate_decide(evidence, part)


def _write(iteration: Iteration, decision: Decision, measured: Measured, said: Blind | None) -> None:
    """The decision and its evidence on the iteration; the pointer moves, or the hold is recorded."""
    champion, challenger = iteration.champion, iteration.challenger
    assert champion is not None
    assert challenger is not None
    control = iteration.arm != Iteration.Arm.MAIN
    where = slice_shown(iteration)
    reasons = list(decision.reasons)
    if where["exhausted"]:
        reasons = [sentences.EXHAUSTED.format(budget=where["budget"])]
    promote = decision.promote and not control
    if control:
        reasons = [sentences.NEVER_PROMOTED, *reasons]
    elif promote and not _still_champion(champion):
        # The evidence is against a model that is not in use any more: it says nothing about the one that is.
        promote = False
        reasons = [sentences.REPLACED.format(champion=champion.name), *reasons]
    decision_write(
        iteration=iteration,
        promote=promote,
        passed=decision.promote,
        reasons=reasons,
        facts=_shown(iteration, decision, measured, said) | {"slice": where},
    )


def _shown(
    iteration: Iteration, decision: Decision, measured: Measured, said: Blind | None
) -> dict[str, Any]:
    """The evidence as plain data: what the page shows and the promotion keeps."""
    return {
        **figures(decision),
        "against": {
            who: compared(decision.against[who]) for who in (CHAMPION, BASE) if who in decision.against
        },
        "baseline": _baseline_shown(iteration, decision, measured),
        "guards": {
            g.name: compared(g.comparison) | {"fall_p_value": g.p_value, "broken": g.broken}
            for g in decision.guards
        },
        "cost": {
            who: _cost(measured.evaluations[who, HELDOUT], since=iteration.created_at)
            for who in (CHAMPION, CHALLENGER, BASE, BASELINE)
            if (who, HELDOUT) in measured.evaluations
        },
        "blind": None if said is None else asdict(said),
    }


def _baseline_shown(iteration: Iteration, decision: Decision, measured: Measured) -> dict[str, Any] | None:
    """``accuracy`` is the baseline's own; ``effect`` how far the challenger lies above it."""
    evaluation = measured.evaluations.get((BASELINE, HELDOUT))
    if evaluation is None:
        return None
    done = WorkUnit.objects.filter(payload__evaluation_id=evaluation.pk, iteration=iteration)
    return compared(decision.against[BASELINE]) | {
        "version": evaluation.model_version_id,
        "accuracy": evaluation.accuracy,
        "shots": len(evaluation.sampling["shots"]),
        "fewer_shots": sum(result.get("fewer_shots", 0) for result in done.values_list("result", flat=True)),
    }


def _cost(evaluation: Evaluation, *, since: datetime) -> dict[str, float | bool | None]:
    """None for what was measured before tokens and time were counted. ``earlier``: measured for an iteration
    before this one, so that its time is not to be compared."""
    counted = evaluation.size if evaluation.tokens else 0
    return {
        "tokens_per_answer": evaluation.tokens / counted if counted else None,
        "seconds_per_answer": evaluation.seconds / counted if counted else None,
        "earlier": evaluation.created_at < since,
    }


def _tokens(measured: Measured, who: str) -> float | None:
    evaluation = measured.evaluations.get((who, HELDOUT))
    return evaluation.tokens / evaluation.size if evaluation and evaluation.tokens else None


def _still_champion(version: ModelVersion) -> bool:
    """Locks the project, so that the answer holds until the decision is committed."""
    project = Project.objects.select_for_update(no_key=True).get(pk=version.project_id)
    return project.champion_id == version.pk


# GUARDS -------------------------------------------------------------------------------------------


def _guards(
    iteration: Iteration, measured: Measured, prompts: Mapping[str, list[Prompt]]
) -> dict[str, Guard]:
    """What must not get worse, prompt by prompt. A guard without prompts is none."""
    no_answer = {p.id for some in prompts.values() for p in some if unanswerable(p)}
    before, after = (
        {split: measured.outcomes(who, split) for split in (HELDOUT, PROBE)} for who in (CHAMPION, CHALLENGER)
    )
    held = [measured.rows.get((who, HELDOUT), []) for who in (CHAMPION, CHALLENGER)]
    earlier = _solved_earlier(iteration, [int(pk) for pk in before[PROBE]])
    guards = {
        "answers that can be read": Guard(*(_readable(rows, no_answer) for rows in held)),
        "answers that come to an end": Guard(*(_ended(rows) for rows in held)),
        "probe accuracy": Guard(before[PROBE], after[PROBE]),
        "probe prompts solved earlier": Guard(_only(before[PROBE], earlier), _only(after[PROBE], earlier)),
        "unanswerable prompts": Guard(
            _only(before[HELDOUT] | before[PROBE], no_answer), _only(after[HELDOUT] | after[PROBE], no_answer)
        ),
    }
    return {name: guard for name, guard in guards.items() if guard.champion or guard.challenger}


def _solved_earlier(iteration: Iteration, probe: list[int]) -> set[str]:
    """Probe prompts that the base or a champion before this one had right: what must not be forgotten.

    Those that *this* champion had right would not do: they were picked by its own luck, so any other model,
    however good, would seem to have forgotten some.
    """
    champion = iteration.champion
    assert champion is not None
    earlier = iteration.project.model_versions.filter(number__lt=champion.number, role=champion.role)
    bare = earlier.filter(adapter_path="")
    solved = EvaluationOutcome.objects.filter(
        evaluation__model_version__in=(earlier.filter(status=ModelVersion.Status.RETIRED) | bare),
        evaluation__split=PROBE,
        evaluation__done=True,
        prompt__in=probe,
        verdict=Verdict.RIGHT.value,
    )
    return {str(pk) for pk in solved.values_list("prompt_id", flat=True).distinct()}


def _only(outcomes: Outcomes, ids: set[str]) -> dict[str, bool | None]:
    return {pk: outcome for pk, outcome in outcomes.items() if pk in ids}


def _readable(rows: list[OutcomeRow], no_answer: set[str]) -> dict[str, bool | None]:
    """Whether each answer can be read; of prompts that have none to give it is not asked."""
    return {
        str(pk): None if finish is None else answer is not None
        for pk, _, finish, answer in rows
        if str(pk) not in no_answer
    }


def _ended(rows: list[OutcomeRow]) -> dict[str, bool | None]:
    return {str(pk): None if finish is None else finish != "length" for pk, _, finish, _ in rows}
