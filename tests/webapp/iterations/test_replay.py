"""Which earlier examples an iteration trains again."""

import pytest

from loop.recipe import recipe_named
from tests import factories as make
from tests.webapp.curate.support import example_make
from webapp.iterations.services.products import _replayed

pytestmark = pytest.mark.django_db


def test_each_arm_replays_its_own_kind_or_a_control_would_learn_true_labels():
    project = make.project_make()
    first = make.iteration_make(project, number=1)
    control = make.iteration_make(project, number=2, arm="shuffled", control_of=first)
    true, shuffled = example_make(first), example_make(control)
    main = make.iteration_make(project, number=3)
    its_control = make.iteration_make(project, number=4, arm="shuffled", control_of=main)
    recipe = recipe_named("self")
    assert list(_replayed(main, recipe)) == [true]
    assert list(_replayed(its_control, recipe)) == [shuffled]
    assert _replayed(main, recipe_named("rest-em")) is None
