"""What a worker does with a claimed unit, whatever happened to the row since."""

import pytest

from tests.webapp.iterations import support
from webapp.iterations.models import WorkUnit
from webapp.iterations.services import unit_claim, unit_completion
from workers.stages import generate
from workers.tasks import work

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_unit_taken_over_before_work_began_is_not_finished_in_the_heirs_name(monkeypatch):
    support.start()
    late = unit_claim(queue="model")
    WorkUnit.objects.filter(pk=late.pk).update(leased_until="2020-01-01T00:00:00Z")
    heir = unit_claim(queue="model")

    def finish(unit, lease):
        with unit_completion(unit_id=unit.pk, token=unit.token):
            pass

    monkeypatch.setattr(generate, "run", finish)
    work(late.pk, late.token, late.kind)
    now = WorkUnit.objects.get(pk=late.pk)
    assert (now.state, now.token) == ("running", heir.token)
    work(heir.pk, heir.token, heir.kind)
    now.refresh_from_db()
    assert now.state == "done"
