from typing import Any

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "webapp.metrics"

    def ready(self) -> None:
        from loop.stages import Stage
        from webapp.iterations.services.measures import measuring_plan
        from webapp.iterations.signals import stage_left, weighing
        from webapp.metrics.services.alarms import reasons_to_hold

        def on_stage_left(iteration: Any, left: Stage, **_: Any) -> None:
            if left is not Stage.EVALUATE:  # planned by the stage itself: the gate waits for it
                measuring_plan(iteration=iteration, stage=left)

        def on_weighing(iteration: Any, **_: Any) -> list[str]:
            return reasons_to_hold(iteration)

        stage_left.connect(on_stage_left, dispatch_uid="metrics.stage_left", weak=False)
        weighing.connect(on_weighing, dispatch_uid="metrics.weighing", weak=False)
