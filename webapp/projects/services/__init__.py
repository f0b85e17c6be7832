"""The projects app's writes: projects, people, guidelines, prompts, and the record of who did what."""

from webapp.projects.services.prompts import (
    ImportRefused,
    ImportReport,
    Placement,
    prompts_add,
    prompts_import,
)
from webapp.projects.services.setup import (
    ProjectError,
    audit_record,
    guidelines_add,
    guidelines_read,
    member_add,
    member_remove,
    member_set,
    project_create,
)

__all__ = [
    "ImportRefused",
    "ImportReport",
    "Placement",
    "ProjectError",
    "audit_record",
    "guidelines_add",
    "guidelines_read",
    "member_add",
    "member_remove",
    "member_set",
    "project_create",
    "prompts_add",
    "prompts_import",
]
