from typing import Any

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "webapp.metrics"

    def ready(self) -> None:
        from loop.stages import Stage
        from webapp.iterations.services.measures import measuring_plan
        from webapp.iterations.signals import stage_left

        def on_stage_left(iteration: Any, left: Stage, **_: Any) -> None:
            if left is not Stage.EVALUATE:  # planned by the stage itself: the gate waits for it
                measuring_plan(iteration=iteration, stage=left)

        stage_left.connect(on_stage_left, dispatch_uid="metrics.stage_left", weak=False)
