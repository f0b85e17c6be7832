"""Hypothesis without a clock: a busy machine must not fail a property."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
