"""The machine side: Celery tasks, engines and trainers. torch lives here and is imported lazily."""
