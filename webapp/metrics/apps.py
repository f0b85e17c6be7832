from typing import Any

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "webapp.metrics"

    def ready(self) -> None:
        from webapp.iterations.signals import stage_left
        from webapp.metrics.services import metrics_write

        def on_stage_left(iteration: Any, left: Any, **_: Any) -> None:
            metrics_write(iteration=iteration, left=left)

        stage_left.connect(on_stage_left, dispatch_uid="metrics.stage_left", weak=False)
