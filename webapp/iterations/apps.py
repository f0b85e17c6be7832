from django.apps import AppConfig


class IterationsConfig(AppConfig):
    name = "webapp.iterations"

    def ready(self) -> None:
        from webapp.iterations import receivers  # noqa: F401  (connects the receivers)
