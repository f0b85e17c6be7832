"""The web process: live events first (one LISTEN connection, no thread per stream), Django for the rest."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from webapp.threads import threaded_django

django_app = threaded_django()

from webapp.events import with_events  # noqa: E402  (needs Django set up)

application = with_events(django_app)
