from django.apps import AppConfig


class DemoConfig(AppConfig):
    """The built-in project, and the headless run of two iterations on it."""

    name = "webapp.demo"
