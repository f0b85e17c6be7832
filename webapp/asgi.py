"""The web process: live events first (one LISTEN connection, no thread per stream), Django for the rest."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
django_app = get_asgi_application()

from webapp.events import with_events  # noqa: E402  (needs Django set up)

application = with_events(django_app)
