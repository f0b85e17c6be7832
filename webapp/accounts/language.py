"""Which language a page is in: the person's own choice, else what the browser asks for, else English.

English texts are the keys. Templates and Python use Django's gettext (`locale/<language>/LC_MESSAGES`);
the texts of the page's scripts lie beside it in `scripts.json`, English text -> translation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

FILE = "scripts.json"


class LanguageMiddleware:
    """Activates the language for the request. After the authentication middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = _language(request)
        with translation.override(language):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        return response


def _language(request: HttpRequest) -> str:
    own = request.user.settings.get("language") if request.user.is_authenticated else None
    if own in dict(settings.LANGUAGES):
        return str(own)
    return translation.get_language_from_request(request)


@cache
def scripts(language: str) -> dict[str, str]:
    """The translations that the page's scripts need; none for English, nor for a text that has none yet."""
    path = settings.LOCALE_PATHS[0] / language / FILE
    if not path.is_file():
        return {}
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return {text: said for text, said in found.items() if said}


def catalogue(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: its language, and the texts for its scripts."""
    language = translation.get_language() or "en"
    return {"language": language, "script_texts": scripts(language)}
