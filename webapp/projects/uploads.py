"""Uploaded prompt files, kept between checking and importing them, and dropped after a day."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from django.conf import settings
from django.core import signing
from django.core.files.uploadedfile import UploadedFile

from webapp.projects.models import Project

LIFE = 24 * 3600  # seconds
_SALT = "prompt upload"


def _folder() -> Path:
    folder: Path = settings.VAR_DIR / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def upload_keep(project: Project, upload: UploadedFile) -> str:
    """Store the file; the returned token, valid for this project, finds it again."""
    for old in _folder().iterdir():
        if time.time() - old.stat().st_mtime > LIFE:
            old.unlink(missing_ok=True)
    original = Path(upload.name or "upload").name
    stored = f"{uuid.uuid4().hex}{Path(original).suffix.lower()[:8]}"
    with (_folder() / stored).open("wb") as target:
        for chunk in upload.chunks():
            target.write(chunk)
    return signing.dumps({"stored": stored, "name": original, "project": project.pk}, salt=_SALT)


def upload_find(project: Project, token: str) -> tuple[Path, str] | None:
    """Path and original name of a kept file, None when it is gone or the token is not this project's."""
    try:
        kept = signing.loads(token, salt=_SALT, max_age=LIFE)
    except signing.BadSignature:
        return None
    path = _folder() / kept["stored"]
    return (path, kept["name"]) if kept["project"] == project.pk and path.is_file() else None
