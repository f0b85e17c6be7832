"""Sent inside the transaction of the write. Layers above listen, so that metrics need not know them."""

from django.dispatch import Signal

# kwargs: alarm (Alarm, just written, its iteration and project at hand). Sent once per alarm.
alarm_fired = Signal()
