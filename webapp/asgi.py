"""The web process: live events first (one LISTEN connection, no thread per stream), Django for the rest."""

import os
import warnings

from django.core.asgi import get_asgi_application

# WhiteNoise hands static files over as plain iterators; they are small, and no reader could change it.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
django_app = get_asgi_application()

from webapp.events import with_events  # noqa: E402  (needs Django set up)

application = with_events(django_app)
