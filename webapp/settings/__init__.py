from webapp.settings.base import *  # noqa: F403
