"""One turn of the loop in plain Python: the seed domain, its simulated annotator, a scripted model.

No database, no weights: generate, annotate, continue, curate, and the gate on outcomes that the rows
would explain. What the pieces promise each other is what is tested here.
"""

import random
import threading
from collections import Counter
from dataclasses import replace

import pytest

from loop.annotate.variance import Said, telling_pair
from loop.curate import Material, curate, funnel, shuffle_verdicts
from loop.dialects.terse import Terse
from loop.domains.arithmetic.annotator import annotate_steps, prefer_critique
from loop.domains.arithmetic.check import judge, solve_from
from loop.domains.arithmetic.generate import generate
from loop.domains.arithmetic.mistakes import plant
from loop.model import GenerateRequest, RewardRequest, Scorer
from loop.recipe import Recipe, method_named, recipes
from loop.recipe_parts import CuratePart
from loop.records import (
    PAIR_KINDS,
    Author,
    Critique,
    Preference,
    Response,
    RowKind,
    Split,
    Trace,
    Verdict,
)
from loop.runtime import run_method
from loop.sample.backtrack import Settings, backtrack
from loop.scripted import ScriptedEngine

TERSE = Terse()
PROMPTS = generate(40, 11, Split.TRAIN)
BY_TEXT = {p.text: p for p in PROMPTS}


def student(request: GenerateRequest, index: int) -> str:
    """Solves half of the problems, criticises with 20 % errors, repairs most of what it is told."""
    rng = random.Random(request.seeds[index])
    asked = [m.content for m in request.messages if m.role == "user"]
    question, _, task = asked[0].partition("\nDraft:\n")
    prompt = BY_TEXT[question]
    if len(asked) == 1 and task.endswith("Check:"):
        draft = task.removesuffix("\nCheck:")
        response = Response(str(request.seeds[index]), prompt.id, draft, TERSE.split_steps(draft))
        return TERSE.write_critique(annotate_steps(prompt, response, error_rate=0.2, seed=1), response)
    good = [s.text for s in TERSE.split_steps(request.prefix)]
    able = rng.random() < (0.7 if task else 0.5)
    try:
        return "\n".join(solve_from(prompt, good) if able or good else plant(prompt, rng)[0])
    except ValueError:  # an annotator's false alarm: the prefix itself may be wrong
        return "Answer: 0"


def annotated(traces: list[Trace]) -> dict[str, list[tuple[Response, Critique]]]:
    """A simulated annotator, 5 % errors, on the first response of every second prompt."""
    prompts = {p.id: p for p in PROMPTS}
    found = {}
    for trace in traces[::2]:
        first = trace.responses[0]
        read = annotate_steps(prompts[trace.prompt_id], first, error_rate=0.05, seed=3)
        critique = Critique(
            f"h-{first.id}",
            first.id,
            Author.PERSON,
            read.marks,
            read.first_error,
            read.verdict,
            read.comments,
            read.corrections,
        )
        found[trace.prompt_id] = [(first, critique)]
    return found


def compared(trace: Trace) -> tuple[Preference, ...]:
    """A simulated annotator, 5 % errors, on the two most telling critiques of each sample."""
    prompt = next(p for p in PROMPTS if p.id == trace.prompt_id)
    found = []
    for response in trace.responses:
        known = {c.id: c for c in trace.critiques if c.response_id == response.id and c.parsed}
        pair = telling_pair([Said(c.id, c.first_error, c.verdict, c.text) for c in known.values()])
        if pair is None:
            continue
        ids = tuple(said.critique_id for said in pair)
        winner, bad = prefer_critique(prompt, response, [known[i] for i in ids], error_rate=0.05, seed=3)
        found.append(
            Preference(
                f"f-{response.id}",
                prompt.id,
                (response.id,),
                winner,
                Author.PERSON,
                all_bad=bad,
                critique_ids=ids,
            )
        )
    return tuple(found)


def liked(request: RewardRequest, text: str) -> float:
    """A scorer that knows the arithmetic, and is never quite sure."""
    prompt = BY_TEXT[request.messages[0].content]
    return 0.9 if judge(prompt, [s.text for s in TERSE.split_steps(text)]).verdict is Verdict.RIGHT else 0.6


def turned(recipe: Recipe) -> list[Material]:
    module = method_named(recipe.method)
    settings = module.Settings(**recipe.settings)
    role = recipe.scorer_role
    traces = run_method(
        module.improve,
        PROMPTS,
        ScriptedEngine(student, reward=liked),
        settings,
        dialect=TERSE,
        model_name="m",
        scorer=Scorer("s-v1", "s-v1", role) if role in recipe.needs else None,
        run_key="turn",
    )
    assert {t.error for t in traces} == {""}
    judged = annotated(traces)
    asked = [p for p in PROMPTS if p.id in judged]
    continued = run_method(
        backtrack(judged),
        asked,
        ScriptedEngine(student),
        Settings(),
        dialect=TERSE,
        model_name="m",
        run_key="more",
    )
    more = {t.prompt_id: t for t in continued}
    materials = []
    for prompt, trace in zip(PROMPTS, traces, strict=True):
        extra = more.get(prompt.id, Trace(prompt.id))
        materials.append(
            Material(
                prompt,
                trace.responses + extra.responses,
                trace.scores + extra.scores,
                trace.critiques,
                tuple(c for _, c in judged.get(prompt.id, ())),
                critique_preferences=compared(trace),
            )
        )
    return materials


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda r: r.name)
def test_every_recipe_turns_prompts_into_rows_of_every_kind_it_names(recipe: Recipe):
    materials = turned(recipe)
    ids = [r.id for m in materials for r in m.responses]
    assert len(set(ids)) == len(ids)
    found = curate(materials, recipe.curate, TERSE)
    kept = Counter(c.kind for c in found if c.kept)
    assert set(kept) == set(recipe.curate.rows), funnel(found)
    assert all((c.row.rejected is not None) == (c.kind in PAIR_KINDS) for c in found if c.kept)


def share_right(candidates, materials: list[Material]) -> float:
    prompts = {m.prompt.id: m.prompt for m in materials}
    rows = [c.row for c in candidates if c.kept and c.kind is RowKind.SAMPLE]
    right = [
        judge(prompts[r.prompt_id], [s.text for s in TERSE.split_steps(r.chosen)]).verdict is Verdict.RIGHT
        for r in rows
    ]
    return sum(right) / len(right)


def test_verified_samples_are_right_and_shuffled_ones_only_as_often_as_samples_are():
    recipe = recipes()["rest-em"]
    part = recipe.curate.model_copy(update={"rows": (RowKind.SAMPLE,)})
    materials = [replace(m, judgements=()) for m in turned(recipe)]
    assert share_right(curate(materials, part, TERSE), materials) == 1.0
    shuffled = shuffle_verdicts(materials, 1)
    assert share_right(curate(shuffled, part, TERSE), materials) < 0.7


def test_what_a_scorer_chose_is_better_and_its_control_chooses_blindly():
    recipe = recipes()["best-of-n"]
    materials = [replace(m, judgements=()) for m in turned(recipe)]
    chosen = share_right(curate(materials, recipe.curate, TERSE), materials)
    assert chosen > 0.9
    blindly = curate(shuffle_verdicts(materials, 1), recipe.curate, TERSE)
    assert share_right(blindly, materials) < 0.7


def test_the_models_own_verdict_filters_without_the_checker():
    recipe = recipes()["self"]
    part = recipe.curate.model_copy(update={"rows": (RowKind.SAMPLE,)})
    materials = [replace(m, judgements=()) for m in turned(recipe)]
    blind = [replace(m, scores=tuple(s for s in m.scores if s.name != "verifier")) for m in materials]
    kept = curate(blind, part, TERSE)
    assert [c.response_id for c in kept if c.kept] == [
        c.response_id for c in curate(materials, part, TERSE) if c.kept
    ]
    everything = [s.verdict is Verdict.RIGHT for m in materials for s in m.scores if s.name == "verifier"]
    # The catalogue's effect test: the kept set must be more accurate than the unfiltered one.
    assert share_right(kept, materials) > sum(everything) / len(everything)


def test_two_turns_at_once_in_threads_do_not_meet():
    recipe = recipes()["self"]
    alone = turned(recipe)
    found: list[list[Material]] = []
    threads = [threading.Thread(target=lambda: found.append(turned(recipe))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    for materials in found:
        for one, other in zip(materials, alone, strict=True):
            assert one == other  # each for itself: a failure names what differs


def test_preferred_critiques_are_truer_than_those_they_were_preferred_to():
    materials = turned(recipes()["critic-dpo"])
    found = curate(materials, CuratePart(rows=(RowKind.CRITIQUE_PAIR,)), TERSE)
    responses = {r.id: (m.prompt, r) for m in materials for r in m.responses}
    true = Counter()
    for candidate in found:
        if candidate.kept and candidate.response_id and candidate.row:
            prompt, response = responses[candidate.response_id]
            truth = judge(prompt, [s.text for s in response.steps])
            for side in ("chosen", "rejected"):
                read = TERSE.read_critique(getattr(candidate.row, side) or "", response)
                true[side] += read is not None and read.first_error == truth.first_error
    assert true["chosen"] > 10
    assert true["rejected"] < true["chosen"] / 3
