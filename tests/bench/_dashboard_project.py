"""A project with a past of many iterations: what is not written row by row, as `_dashboard_rows` does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db import connection

from loop.recipe import recipe_named
from loop.stages import Stage
from tests.bench import _dashboard_rows as rows

MOVES = [stage.value for stage in Stage]
PROMPTS_PER_UNIT = 100
SOURCES = ("reward", "logprob", "self_verdict")


def project_make(slug: str, *, prompts: int) -> Any:
    """The project with its people (a lead, and others who answer), base version and prompts."""
    from webapp.accounts.models import User
    from webapp.projects.models import Membership, Project
    from webapp.registry.services import base_register

    project = Project.objects.create(slug=slug, name=slug.capitalize(), base="seed")
    lead, _ = User.objects.get_or_create(username="lead", defaults={"is_superuser": True})
    people = [lead] + [
        User.objects.get_or_create(username=f"person-{i}")[0] for i in range(1, rows.PEOPLE + 1)
    ]
    for user in people:
        role = "lead" if user == lead else "annotator"
        Membership.objects.create(project=project, user=user, role=role)
    base_register(project=project)
    project.refresh_from_db()
    with rows.connected(url()) as db:
        for split, n in (("train", prompts), ("heldout", rows.HELDOUT), ("probe", rows.PROBE)):
            rows.prompts_write(db, project.pk, split, n)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE projects_prompt")
    return project


def url() -> str:
    import os

    return os.environ["DATABASE_URL"]


def past_write(project: Any, *, iterations: int, prompts: int) -> None:
    """Iterations one after the other: each but the last promoted or held, the last waits for people."""
    from webapp.iterations.models import Iteration

    people = list(project.memberships.exclude(role="lead").values_list("user_id", flat=True))
    with rows.connected(url()) as db:
        keys: dict[str, Any] = {"project": project.pk, "people": people, "skill": 0.55}
        measured_on = list(_given(project))
        for given in measured_on:
            rows.evaluation_write(db, keys, version=project.champion_id, given=given)
        db.commit()
        for number in range(1, iterations + 1):
            over = number < iterations
            iteration = _iteration(project, number, rows.began(number, iterations), over=over)
            skill = 0.55 + 0.3 * number / iterations
            keys |= {
                "iteration": iteration.pk, "split": "train", "prompts": prompts, "samples": rows.SAMPLES,
                "skill": skill, "name": f"sampled-{iteration.pk}-", "at": iteration.created_at,
                "version": project.champion_id,
            }  # fmt: skip
            rows.samples_write(
                db, keys, iteration=iteration.pk, version=project.champion_id, scores=number > iterations - 5
            )
            rows.answers_write(db, keys, answered=over)
            if over:
                dataset = rows.examples_write(db, keys, number=number)
                db.commit()
                version = _turn_ends(project, iteration, dataset, promoted=number % 3 != 0)
                for given in measured_on:
                    better = keys | {"skill": skill + 0.02}
                    rows.evaluation_write(db, better, version=version.pk, given=given)
            db.commit()
        for table in ("traces_score", "traces_response", "traces_critique", "annotate_annotationtask"):
            db.execute(f"ANALYZE {table}")
    _work_write(project, Iteration.objects.filter(project=project))
    _days_write(project, people, iterations)


def _given(project: Any) -> Iterator[rows.Given]:
    """What the gate would ask for."""
    from webapp.iterations.models import Iteration
    from webapp.iterations.services.gate import sampling_of
    from webapp.registry.services import prompts_sha

    sampling = sampling_of(Iteration(recipe=recipe_named("self").model_dump(mode="json")))
    for split in ("heldout", "probe"):
        ids = list(project.prompts.filter(split=split).order_by("id").values_list("id", flat=True))
        yield rows.Given(split, len(ids), prompts_sha(ids, sampling), sampling)


def _iteration(project: Any, number: int, at: datetime, *, over: bool) -> Any:
    from webapp.iterations.models import Iteration, Transition

    iteration = Iteration.objects.create(
        project=project, number=number, recipe_name="self", champion=project.champion, seed=number,
        recipe=recipe_named("self").model_dump(mode="json"), stage="done" if over else "annotate",
        status="done" if over else "waiting", finished_at=at + timedelta(hours=4) if over else None,
        counts={
            "prompts": 2500, "sampled": 20_000, "verified": 9000, "accepted": {"sample": rows.KEPT},
            "dropped": {"wrong by the checker": 10_500, "repeat of another": 7500}, "trained": rows.KEPT,
        },
    )  # fmt: skip
    moves = list(pairwise(MOVES if over else MOVES[: MOVES.index("annotate") + 1]))
    made = Transition.objects.bulk_create(
        [Transition(iteration=iteration, from_stage=a, to_stage=b, because="it was due") for a, b in moves]
    )
    for i, move in enumerate(made, 1):
        move.at = at + timedelta(minutes=30 * i)
    Transition.objects.bulk_update(made, ["at"])
    Iteration.objects.filter(pk=iteration.pk).update(created_at=at)
    iteration.created_at = at
    return iteration


def _turn_ends(project: Any, iteration: Any, dataset: int, *, promoted: bool) -> Any:
    """Challenger, decision, what it was made on, and the promotion."""
    from tests.stories import decision
    from webapp.iterations.models import Iteration
    from webapp.registry.models import GateUse, Promotion
    from webapp.registry.services import model_register

    version = model_register(
        project=project, parent=project.champion, adapter_path="a", recipe="self v1", status="challenger"
    )
    before = 0.4 + iteration.number / 200
    said = decision(before, before + (0.04 if promoted else 0.005), promoted, n=rows.HELDOUT)
    Iteration.objects.filter(pk=iteration.pk).update(
        challenger=version, dataset_version=dataset, decision=said
    )
    version.iteration_id, version.dataset_version_id = iteration.pk, dataset
    version.status = "held"
    prompts = {
        split: list(project.prompts.filter(split=split).order_by("id").values_list("id", flat=True))
        for split in ("heldout", "probe")
    }
    GateUse.objects.create(
        project=project, iteration=iteration, slice=0, slices=1, prompt_ids=prompts["heldout"],
        probe_ids=prompts["probe"],
    )  # fmt: skip
    Promotion.objects.create(
        project=project, kind="promoted" if promoted else "held", from_version=project.champion,
        to_version=version, iteration=iteration, reasons=said["reasons"], evidence=said,
    )  # fmt: skip
    if promoted:
        type(version).objects.filter(pk=project.champion_id).update(status="retired")
        version.status = "champion"
        project.champion = version
        project.save(update_fields=["champion"])
    version.save()
    return version


def _work_write(project: Any, iterations: Any) -> None:
    """Work units as they are left behind, and the points of each run."""
    from webapp.iterations.models import RunPoint, WorkUnit

    units = []
    for iteration in iterations:
        left = set(iteration.transitions.values_list("from_stage", flat=True))
        for stage, kind, queue, n in _planned():
            if stage not in left:
                continue
            for i in range(n):
                at = iteration.created_at + timedelta(minutes=2 * i)
                units.append(
                    WorkUnit(
                        project=project,
                        iteration=iteration,
                        stage=stage,
                        kind=kind,
                        queue=queue,
                        ordinal=MOVES.index(stage) if kind == "measure" else i,
                        state="done",
                        attempt=1,
                        payload={"stage": stage},
                        done=PROMPTS_PER_UNIT,
                        total=PROMPTS_PER_UNIT,
                        result={"values": 20},
                        started_at=at,
                        finished_at=at + timedelta(seconds=100),
                        progress={"tokens_per_s": 1500.0, "mfu": 0.3} if kind == "train" else {},
                    )
                )
    made = WorkUnit.objects.bulk_create(units, batch_size=1000)
    points = [
        RunPoint(unit=unit, step=s, total_steps=60, loss=2 / s + 0.5, tokens_per_s=1500.0, mfu=0.3, seconds=s)
        for unit in made
        if unit.kind == "train"
        for s in range(1, 61)
    ]
    RunPoint.objects.bulk_create(points, batch_size=1000)
    WorkUnit.objects.bulk_create(
        WorkUnit(project=project, stage="evaluate", kind="evaluate", queue="model", ordinal=i)
        for i in range(30)
    )


def _planned() -> Iterator[tuple[str, str, str, int]]:
    yield "generate", "generate", "model", 25
    yield "curate", "curate", "light", 1
    yield "finetune", "train", "train", 1
    yield "evaluate", "evaluate", "model", 3
    for stage in ("generate", "annotate", "curate", "finetune", "evaluate", "promote"):
        yield stage, "measure", "light", 1


def _days_write(project: Any, people: list[int], days: int) -> None:
    from webapp.annotate.models import DayCount
    from webapp.metrics.models import WorkerBeat

    today, now = datetime.now(UTC).date(), datetime.now(UTC)
    DayCount.objects.bulk_create(
        DayCount(
            project=project, user_id=user, day=today - timedelta(days=day), answers=60, seconds=60 * 21.0
        )
        for user in people
        for day in range(1, days)
    )
    gpu = {"name": "GPU", "memory_used": 40 << 30, "memory_total": 80 << 30, "utilisation": 0.7}
    recent = [[now.timestamp() - 60 * i, 0.5, 0.7, 40 << 30] for i in range(60, 0, -1)]
    for queue in ("model", "train", "light"):
        WorkerBeat.objects.get_or_create(
            name=f"{queue}@bench:1",
            defaults={
                "queue": queue, "host": "bench", "pid": 1, "memory": 2 << 30, "started_at": now,
                "seen_at": now + timedelta(days=1), "devices": [gpu] if queue != "light" else [],
                "recent": recent,
            },
        )  # fmt: skip


def values_write(project: Any) -> dict[str, float]:
    """Metric values of every iteration: those of the last that is over are really measured and stand, moved a
    little, for all others; what it has none of is made up. Returns seconds by group of the real measuring."""
    from tests.bench.bench_metrics import groups_timed
    from webapp.metrics import measures
    from webapp.metrics.models import MetricValue, PromptFigures

    over = list(project.iterations.filter(stage="done").order_by("number"))
    model = over[-1]
    seconds = groups_timed(model)
    known = {row.name: row for row in MetricValue.objects.filter(iteration=model)}
    for metric in measures.metrics().values():
        names = (
            [metric.name.replace("*", source) for source in SOURCES] if "*" in metric.name else [metric.name]
        )
        for name in names:
            if name not in known or known[name].value is None:
                known[name] = MetricValue(
                    name=name,
                    value=0.5,
                    low=0.45,
                    high=0.55,
                    n=2500,
                    unit=metric.unit,
                    version=metric.version,
                )
    rng, copies = random.Random(2), []
    for iteration in project.iterations.all():
        for row in known.values():
            factor = 0.8 + 0.2 * iteration.number / len(over) + rng.uniform(-0.02, 0.02)
            moved = {
                end: None if (v := getattr(row, end)) is None else v * factor
                for end in ("value", "low", "high")
            }
            copies.append(
                MetricValue(
                    project=project,
                    iteration=iteration,
                    name=row.name,
                    n=row.n,
                    unit=row.unit,
                    version=row.version,
                    detail=row.detail,
                    **moved,
                )
            )
    MetricValue.objects.filter(iteration__in=over).delete()
    MetricValue.objects.bulk_create(copies, batch_size=2000)
    _figures_copy(model, [i for i in project.iterations.all() if i != model], PromptFigures)
    _alarms_write(project, over)
    return seconds


def _figures_copy(model: Any, others: list[Any], figures: Any) -> None:
    names = [f.column for f in figures._meta.concrete_fields if f.column not in ("id", "iteration_id")]
    columns = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO metrics_promptfigures (iteration_id, {columns})"
            f" SELECT o, {columns} FROM metrics_promptfigures, unnest(%s::bigint[]) o"
            " WHERE iteration_id = %s",
            [[other.pk for other in others], model.pk],
        )
        cursor.execute("ANALYZE")


def _alarms_write(project: Any, over: list[Any]) -> None:
    from webapp.metrics.models import Alarm

    Alarm.objects.filter(project=project).delete()
    Alarm.objects.bulk_create(
        Alarm(
            project=project, iteration=iteration, key=key, level=level, metric="samples_right",
            text="Samples are less diverse than before.", facts={"limit": 0.1, "samples_right": 0.5},
            seen_at=None if iteration.number > len(over) - 5 else datetime.now(UTC),
        )
        for iteration in over[::2]
        for key, level in (("collapse", "bad"), ("diversity_loss", "warn"))
    )  # fmt: skip
