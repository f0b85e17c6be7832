"""Writes of what belongs to a person's account."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from webapp.accounts.comfort import Comfort, comfort_of
from webapp.accounts.models import User


@transaction.atomic
def comfort_save(*, user: User, changes: dict[str, Any]) -> Comfort:
    """Change some of a person's settings; those that are not named stay.

    Raises:
        pydantic.ValidationError: an unknown setting or value, or two actions on one key; nothing is changed.
    """
    held = User.objects.select_for_update(no_key=True).only("settings").get(pk=user.pk)
    wanted = Comfort.model_validate({**comfort_of(held.settings).model_dump(), **changes})
    held.settings = wanted.model_dump(exclude_defaults=True)
    held.save(update_fields=["settings"])
    user.settings = held.settings
    return wanted
