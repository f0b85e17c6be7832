"""The projects pages, one module per part of the site."""

from webapp.projects.views.guidelines import (
    guidelines,
    guidelines_diff,
    guidelines_read,
    guidelines_write,
)
from webapp.projects.views.home import home, project, project_live
from webapp.projects.views.members import member_remove, members
from webapp.projects.views.prompts import prompt, prompts, prompts_import

__all__ = [
    "guidelines",
    "guidelines_diff",
    "guidelines_read",
    "guidelines_write",
    "home",
    "member_remove",
    "members",
    "project",
    "project_live",
    "prompt",
    "prompts",
    "prompts_import",
]
