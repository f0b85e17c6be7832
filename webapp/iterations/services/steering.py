"""What people do to an iteration: start, pause, resume, cancel, retry, go on without more answers."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from loop.recipe import Recipe, recipes
from loop.stages import OPEN, Stage, Status
from webapp.accounts.models import User
from webapp.annotate import services as annotate_services
from webapp.events import notify
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.services import stages
from webapp.iterations.services.machine import iteration_tick
from webapp.projects.models import AuditEvent, Project
from webapp.projects.selectors import built_in
from webapp.registry import services as registry
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import scorer_in_use


class IterationError(Exception):
    """A request that does not fit the iteration's state; the message says why."""


def _audit(iteration: Iteration, by: User | None, verb: str) -> None:
    AuditEvent.objects.create(project_id=iteration.project_id, actor=by, verb=verb, target=str(iteration))
    notify(project_id=iteration.project_id, iteration_id=iteration.pk, what="status")


def iteration_start(
    *,
    project: Project,
    recipe: Recipe,
    started_by: User | None = None,
    simulate_annotators: bool = False,
    seed: int | None = None,
    control_of: Iteration | None = None,
) -> Iteration:
    """Start a turn of the loop; the scheduler and the workers do the rest.

    With ``control_of`` it is that iteration's shuffled-label control arm: same responses, same
    recipe, verdicts permuted, never promoted.

    Raises:
        IterationError: another iteration of the project is open, there is nothing to work on, or
            the controlled iteration has not generated yet.
    """
    with transaction.atomic():
        project = _refuse_if_busy(project.pk)
        _refuse_unless_startable(project, recipe, control_of)
        number = (Iteration.objects.filter(project=project).aggregate(m=Max("number"))["m"] or 0) + 1
        iteration = Iteration.objects.create(
            project=project,
            number=number,
            recipe_name=recipe.name,
            recipe=recipe.model_dump(mode="json"),
            champion=control_of.champion if control_of else registry.base_register(project=project),
            scorer=control_of.scorer if control_of else _scorer(project, recipe),
            arm=Iteration.Arm.SHUFFLED if control_of else Iteration.Arm.MAIN,
            control_of=control_of,
            seed=secrets.randbelow(2**31) if seed is None else seed,
            simulate_annotators=simulate_annotators,
            started_by=started_by,
        )
        _audit(iteration, started_by, "iteration started")
        transaction.on_commit(lambda: iteration_tick(iteration_id=iteration.pk), robust=True)
    return iteration


def _refuse_if_busy(project_id: int) -> Project:
    """The project, locked: of two that would open an iteration of it, the second sees the first's."""
    project = Project.objects.select_for_update(no_key=True).get(pk=project_id)
    busy = Iteration.objects.filter(project=project, status__in=[*OPEN, Status.PAUSED.value])
    if open_one := busy.first():
        raise IterationError(f"{open_one} is still open; let it finish or cancel it first")
    return project


def _scorer(project: Project, recipe: Recipe) -> ModelVersion | None:
    """The scorer in use of the role that the recipe asks for, or trains anew: pinned with the champion.

    Raises:
        IterationError: it asks for one, and none can be used.
    """
    role = recipe.scorer_role
    scorer = scorer_in_use(project, role) if role else None
    if role not in recipe.needs:
        return scorer
    called = ModelVersion.Role(role).label.lower()
    if scorer is None:
        trains = ", ".join(name for name, other in recipes().items() if other.trains_role == role)
        raise IterationError(
            f"recipe {recipe.name} needs a {called} model in use, and {project} has none:"
            f" train one first (recipe {trains})"
        )
    if scorer.base != project.base:
        raise IterationError(
            f"{scorer.name} was trained on {scorer.base}, not on {project.base}: train a {called} model anew"
        )
    return scorer


def _refuse_unless_startable(project: Project, recipe: Recipe, control_of: Iteration | None) -> None:
    if control_of is not None:
        if control_of.arm != Iteration.Arm.MAIN or control_of.stage != Stage.DONE.value:
            raise IterationError("a control arm needs a finished iteration to control")
        return
    train = project.prompts.filter(split="train")
    if not train.exists():
        raise IterationError(f"{project} has no train prompts; import some first")
    if "reference" in recipe.needs and not train.exclude(reference=None).exclude(reference="").exists():
        raise IterationError(
            f"recipe {recipe.name} needs reference answers; no train prompt of {project} has one"
        )
    if "verifier" in recipe.needs and not train.exclude(verifier="").exists():
        raise IterationError(
            f"recipe {recipe.name} needs a checker; no train prompt of {project} names one"
            " (prompts_import --verifier)"
        )


def _set_status(iteration: Iteration, *, frm: set[Status] | frozenset[Status], to: Status) -> None:
    moved = Iteration.objects.filter(pk=iteration.pk, status__in=[s.value for s in frm]).update(
        status=to.value
    )
    if not moved:
        iteration.refresh_from_db()
        raise IterationError(f"{iteration} is {iteration.status}; that cannot be done now")
    iteration.refresh_from_db()


@transaction.atomic
def iteration_pause(*, iteration: Iteration, by: User | None) -> None:
    """Stop handing out its work; workers give back what they hold at their next heartbeat."""
    _set_status(iteration, frm=OPEN, to=Status.PAUSED)
    _audit(iteration, by, "iteration paused")


@transaction.atomic
def iteration_resume(*, iteration: Iteration, by: User | None) -> None:
    waiting = stages.waits_for_people(iteration)
    _set_status(iteration, frm={Status.PAUSED}, to=Status.WAITING if waiting else Status.RUNNING)
    _audit(iteration, by, "iteration resumed")
    transaction.on_commit(lambda: iteration_tick(iteration_id=iteration.pk), robust=True)


@transaction.atomic
def iteration_cancel(*, iteration: Iteration, by: User | None) -> None:
    """End it where it stands. What people annotated stays."""
    # Units before their iteration, as a worker that finishes one locks them: the two never deadlock.
    list(iteration.units.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    _set_status(iteration, frm=OPEN | {Status.PAUSED, Status.FAILED}, to=Status.CANCELLED)
    iteration.units.exclude(state=WorkUnit.State.DONE).update(state=WorkUnit.State.CANCELLED, token=None)
    annotate_services.tasks_close(iteration=iteration)
    Iteration.objects.filter(pk=iteration.pk).update(finished_at=timezone.now())
    iteration.refresh_from_db()
    if iteration.challenger_id is not None:
        registry.challenger_withdraw(version_id=iteration.challenger_id)
    _audit(iteration, by, "iteration cancelled")


@transaction.atomic
def iteration_retry(*, iteration: Iteration, by: User | None) -> None:
    """Queue the failed stage's units again. Finished units are kept.

    Raises:
        IterationError: it has not failed, or another iteration was started meanwhile.
    """
    waiting = stages.waits_for_people(iteration)
    _refuse_if_busy(iteration.project_id)
    _set_status(iteration, frm={Status.FAILED}, to=Status.WAITING if waiting else Status.RUNNING)
    iteration.units.filter(state=WorkUnit.State.FAILED).update(
        state=WorkUnit.State.QUEUED, attempt=0, token=None, error="", announced_at=None
    )
    Iteration.objects.filter(pk=iteration.pk).update(problem="")
    _audit(iteration, by, "stage retried")
    transaction.on_commit(lambda: iteration_tick(iteration_id=iteration.pk), robust=True)


@transaction.atomic
def annotation_close(*, iteration: Iteration, by: User | None) -> None:
    """Go on with the answers there are: the tasks nobody answered are withdrawn."""
    _require_waiting(iteration)
    annotate_services.tasks_close(iteration=iteration)
    _audit(iteration, by, "annotation closed")
    transaction.on_commit(lambda: iteration_tick(iteration_id=iteration.pk), robust=True)


@transaction.atomic
def annotators_simulate(*, iteration: Iteration, by: User | None) -> None:
    """Let the seed domain's program answer what is open, marked as simulated.

    Raises:
        IterationError: not annotating now, asked already, or a prompt is not of the seed domain.
    """
    # Locked: of two who ask at once, the second sees the first's unit.
    iteration = Iteration.objects.select_for_update(no_key=True).get(pk=iteration.pk)
    _require_waiting(iteration)
    if iteration.tasks.exclude(built_in("prompt__")).exists():
        raise IterationError("only prompts of the built-in arithmetic domain can be answered by a program")
    if not stages.simulation_plan(iteration):
        raise IterationError(f"simulated annotators are at work on {iteration} already; wait until they end")
    if by is not None:  # "the rest" includes the items on the screen of whoever asks
        annotate_services.assignments_hand_back(user=by, iteration=iteration)
    _audit(iteration, by, "simulated annotators asked")


def _require_waiting(iteration: Iteration) -> None:
    if iteration.status != Status.WAITING.value or not stages.waits_for_people(iteration):
        raise IterationError(f"{iteration} is not waiting for people")
