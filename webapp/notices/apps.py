from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "webapp.notices"

    def ready(self) -> None:
        from webapp.notices import receivers  # noqa: F401  (connects the receivers)
