"""A report as one HTML file that needs nothing else, and may do nothing else.

The file carries its own content security policy: no script, nothing from anywhere, and only the one style
sheet in it, known by its hash. So what a model wrote stays harmless wherever the file is opened.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from webapp.metrics.report.document import Report

STYLE = "metrics/report.css"


def html(report: Report) -> str:
    """The report as a file."""
    policy = "; ".join(f"{name} {' '.join(sources)}" for name, sources in policy_of().items())
    context = {"report": report, "style": style(), "policy": policy}
    return render_to_string("metrics/report.html", context)


def policy_of() -> dict[str, list[str]]:
    """What the file may do, as directives of a content security policy."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return {"default-src": ["'none'"], "style-src": [f"'sha256-{digest}'"], "base-uri": ["'none'"],
            "form-action": ["'none'"]}  # fmt: skip


@cache
def style() -> str:
    """The style sheet, to be put between the tags as it is."""
    found = finders.find(STYLE)
    assert isinstance(found, str)
    return Path(found).read_text(encoding="utf-8")
