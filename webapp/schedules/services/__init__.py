"""The schedules app's writes: schedules themselves, and the starting of what is due."""

from webapp.schedules.services.editing import schedule_enable, schedule_remove, schedule_set
from webapp.schedules.services.errors import ScheduleError
from webapp.schedules.services.starting import schedule_run, schedules_look

__all__ = [
    "ScheduleError",
    "schedule_enable",
    "schedule_remove",
    "schedule_run",
    "schedule_set",
    "schedules_look",
]
