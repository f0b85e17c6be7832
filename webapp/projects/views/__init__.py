"""The projects pages, one module per part of the site."""

from webapp.projects.views.home import guidelines, home, project, project_live
from webapp.projects.views.members import member_remove, members
from webapp.projects.views.prompts import prompt, prompts, prompts_import

__all__ = [
    "guidelines",
    "home",
    "member_remove",
    "members",
    "project",
    "project_live",
    "prompt",
    "prompts",
    "prompts_import",
]
