"""The web's side of the queue: sends wake-ups by task name. It never imports the workers."""

from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError

_app = Celery("whetstone", set_as_current=False)
_app.config_from_object("django.conf:settings", namespace="CELERY")
# A page must not hang on a dead broker: one quick second try (a restart leaves stale connections), then give
# up, because the row is the truth and the scheduler calls again. The default waits for about six seconds.
_QUICK = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.05,
    "interval_max": 0.05,
    "socket_connect_timeout": 1,
}

LOOK = "workers.look"
# Seconds. A wake-up is sent again while work waits, so that old ones would only pile up before a busy worker.
EXPIRES = 60


def announce(queue: str) -> bool:
    """Tell the workers of ``queue`` to look for work. False when the broker cannot be reached.

    A lost wake-up costs time only: the scheduler re-announces whatever is still queued.
    """
    if settings.CELERY_BROKER_URL.startswith("memory://"):
        return False  # the test run: nobody listens
    _app.conf.broker_transport_options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, **_QUICK}
    try:
        _app.send_task(LOOK, args=[queue], queue=queue, retry=False, expires=EXPIRES)
    except (OperationalError, OSError):
        return False
    return True
