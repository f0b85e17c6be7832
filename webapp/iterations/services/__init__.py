"""The iterations app's writes: starting and steering iterations, moving the state machine, leasing work."""

from webapp.iterations.services.cleaning import storage_clean, versions_at_work
from webapp.iterations.services.machine import iteration_advance, iteration_tick, open_iterations_tick
from webapp.iterations.services.measuring import evaluation_start
from webapp.iterations.services.products import challenger_register, dataset_attach
from webapp.iterations.services.runs import (
    RunError,
    preview_start,
    run_cancel,
    run_name,
    run_pause,
    run_register,
    run_resume,
    run_retry,
    run_start,
)
from webapp.iterations.services.steering import (
    IterationError,
    annotation_close,
    annotators_simulate,
    iteration_cancel,
    iteration_pause,
    iteration_resume,
    iteration_retry,
    iteration_start,
)
from webapp.iterations.services.units import (
    LeaseLost,
    Order,
    points_add,
    unit_claim,
    unit_completion,
    unit_fail,
    unit_heartbeat,
    unit_release,
    units_sweep,
)
from webapp.iterations.services.weights import adapter_inspect, model_merge

__all__ = [
    "IterationError",
    "LeaseLost",
    "Order",
    "RunError",
    "adapter_inspect",
    "annotation_close",
    "annotators_simulate",
    "challenger_register",
    "dataset_attach",
    "evaluation_start",
    "iteration_advance",
    "iteration_cancel",
    "iteration_pause",
    "iteration_resume",
    "iteration_retry",
    "iteration_start",
    "iteration_tick",
    "model_merge",
    "open_iterations_tick",
    "points_add",
    "preview_start",
    "run_cancel",
    "run_name",
    "run_pause",
    "run_register",
    "run_resume",
    "run_retry",
    "run_start",
    "storage_clean",
    "unit_claim",
    "unit_completion",
    "unit_fail",
    "unit_heartbeat",
    "unit_release",
    "units_sweep",
    "versions_at_work",
]
