"""The champion pointer: moved in one transaction with its reasons, never to a control arm, and back again."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from tests import factories as make
from tests.webapp.iterations import support
from webapp.registry import services
from webapp.registry.models import ModelVersion, Promotion
from webapp.registry.selectors import scorer_in_use
from webapp.registry.services import RegistryError
from webapp.registry.services.cleaning import weights_clean

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project_make()


@pytest.fixture
def base(project):
    return services.base_register(project=project)


def version(project, status="challenger", **values):
    return services.model_register(project=project, status=status, adapter_path="sha", **values)


def statuses(project):
    return dict(ModelVersion.objects.filter(project=project).values_list("number", "status"))


def champion(project):
    project.refresh_from_db()
    return project.champion


def test_the_bare_base_is_version_1_and_first_champion_once(project):
    first = services.base_register(project=project)
    assert services.base_register(project=project) == first
    assert (first.number, first.adapter_name, champion(project)) == (1, None, first)
    assert ModelVersion.objects.count() == 1


def test_promote_then_roll_back_leaves_the_whole_story(project, base):
    person = make.member_make(project, "admin")
    better = version(project)
    evidence = {"effect": 0.05, "p_value": 0.01}
    services.champion_promote(
        project=project, version=better, reasons=["rose by 5 points"], evidence=evidence
    )
    assert champion(project) == better
    assert statuses(project) == {1: "retired", 2: "champion"}

    services.champion_roll_back(project=project, to=base, by=person, reason="it swears")
    assert champion(project) == base
    assert statuses(project) == {1: "champion", 2: "retired"}
    told = Promotion.objects.order_by("id").values_list(
        "kind", "from_version", "to_version", "reasons", "evidence", "by"
    )
    assert list(told) == [
        ("promoted", base.pk, better.pk, ["rose by 5 points"], evidence, None),
        ("rolled_back", better.pk, base.pk, ["it swears"], {}, person.pk),
    ]


def test_a_move_that_cannot_be_told_does_not_happen(project, base, monkeypatch):
    better = version(project)

    def broken(**_):
        raise IntegrityError("no room")

    monkeypatch.setattr(Promotion.objects, "create", broken)
    with pytest.raises(IntegrityError):
        services.champion_promote(project=project, version=better)
    assert champion(project) == base
    assert statuses(project) == {1: "champion", 2: "challenger"}


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("control", "is a control arm; control arms are never promoted"),
        ("again", "is the champion already"),
        ("foreign", "belongs to another project"),
    ],
)
def test_promotions_that_must_not_happen(project, base, case, says):
    wanted = {
        "control": lambda: version(project, status="control"),
        "again": lambda: base,
        "foreign": lambda: version(make.project_make()),
    }[case]()
    with pytest.raises(RegistryError, match=says):
        services.champion_promote(project=project, version=wanted)
    assert champion(project) == base
    assert not Promotion.objects.exists()


@pytest.mark.parametrize("status", ["challenger", "held", "control", "registered"])
def test_only_a_former_champion_can_be_rolled_back_to(project, base, status):
    with pytest.raises(RegistryError, match="was never champion"):
        services.champion_roll_back(project=project, to=version(project, status=status), by=None, reason="x")


def test_a_scorer_is_in_use_by_its_role_and_leaves_the_policy_alone(project, base):
    assert scorer_in_use(project, "reward") is None
    first, second = (version(project, role="reward") for _ in range(2))
    steps = version(project, role="process_reward")
    for scorer in (first, steps, second):
        services.champion_promote(project=project, version=scorer, reasons=["ranks better"])
    assert scorer_in_use(project, "reward") == second
    assert scorer_in_use(project, "process_reward") == steps
    assert champion(project) == base
    services.champion_roll_back(project=project, to=first, by=None, reason="it likes long answers")
    assert scorer_in_use(project, "reward") == first
    assert statuses(project) == {1: "champion", 2: "champion", 3: "retired", 4: "champion"}
    told = list(Promotion.objects.order_by("id").values_list("from_version__number", "to_version__number"))
    assert told == [(None, 2), (None, 4), (2, 3), (3, 2)]


def test_what_cannot_serve_is_not_put_in_use(project, base):
    gone, imported = version(project), version(project, status="registered", recipe="imported")
    ModelVersion.objects.filter(pk=gone.pk).update(weights_removed_at=datetime(2026, 1, 2, tzinfo=UTC))
    bare = services.model_register(project=project, role="reward")
    for wanted, says in (
        (gone, "were removed on 2026-01-02"),
        (imported, "no worker has loaded it yet"),
        (bare, "bare base model"),
    ):
        with pytest.raises(RegistryError, match=says):
            services.champion_promote(project=project, version=wanted)
    assert champion(project) == base
    # The row in hand may be older than the removal; what counts is the row under the lock.
    assert gone.weights_removed_at is None


def test_a_hold_is_told_and_changes_no_pointer(project, base):
    challenger, control = version(project), version(project, status="control")
    for held in (challenger, control):
        services.challenger_hold(version=held, reasons=["no gain"], evidence={"effect": 0}, iteration_id=None)
    assert champion(project) == base
    assert statuses(project) == {1: "champion", 2: "held", 3: "control"}
    assert Promotion.objects.filter(kind="held", from_version=base).count() == 2


def test_a_hold_does_not_undo_what_a_lead_did_meanwhile(project, base):
    weighed = version(project)
    services.champion_promote(project=project, version=weighed, reason="we need it now")
    assert weighed.status == "challenger"  # as the gate read it
    services.challenger_hold(version=weighed, reasons=["too few"], evidence={}, iteration_id=None)
    assert statuses(project) == {1: "retired", 2: "champion"}
    assert weighed.status == "champion"


def test_names_are_never_used_twice(project, base):
    second = version(project)
    assert (base.name, second.name) == (f"{project.slug}-v1", f"{project.slug}-v2")
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(pk=second.pk).update(name=base.name)
    again = version(project)
    assert again.name == f"{project.slug}-v3"


def test_only_known_hashes_are_taken_over(project):
    made = services.model_register(project=project, hashes={"base_sha": "abc", "files": {"a": "b"}})
    assert (made.base_sha, made.tokenizer_sha) == ("abc", "")


@pytest.mark.django_db(transaction=True)
def test_a_promotion_and_a_roll_back_at_once_leave_one_champion_and_a_whole_story():
    project = make.project_make()
    base = services.base_register(project=project)
    first, second = (version(project) for _ in range(2))
    services.champion_promote(project=project, version=first)

    def attempt(move):
        try:
            return move()
        except RegistryError as error:
            return error

    for _ in range(6):
        support.together(
            [
                lambda: attempt(lambda: services.champion_promote(project=project, version=second)),
                lambda: attempt(
                    lambda: services.champion_roll_back(project=project, to=base, by=None, reason="worse")
                ),
                lambda: attempt(lambda: services.champion_promote(project=project, version=first)),
            ]
        )
        now = champion(project)
        assert [n for n, status in statuses(project).items() if status == "champion"] == [now.number]
        # Each move begins where the one before it ended, and the last ends at the champion.
        moves = list(Promotion.objects.order_by("id").values_list("from_version", "to_version"))
        assert [frm for frm, _ in moves[1:]] == [to for _, to in moves[:-1]]
        assert moves[-1][1] == now.pk


@pytest.mark.django_db(transaction=True)
def test_weights_are_cleaned_or_promoted_never_both():
    for _ in range(4):
        project = make.project_make()
        services.base_register(project=project)
        held = version(project, status="held")
        ModelVersion.objects.filter(pk=held.pk).update(created_at=datetime(2020, 1, 1, tzinfo=UTC))

        def promote(project=project, held=held):
            try:
                return services.champion_promote(project=project, version=held, reason="people like it")
            except RegistryError as error:
                return error

        def clean(project=project):
            return weights_clean(project=project, now=datetime.now(UTC), delete=True)

        support.together([promote, clean])
        held.refresh_from_db()
        assert (held.weights_removed_at is None) == (held.status == "champion")
