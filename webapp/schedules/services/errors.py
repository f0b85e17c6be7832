class ScheduleError(Exception):
    """A schedule that cannot be kept or run as asked; the message says why."""
