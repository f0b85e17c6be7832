"""A measured past with everything the ledger reads."""

from tests import stories
from webapp.metrics.models import MetricValue

# (value, half the interval, n) of iterations 1, 2, 4, 5 and 6
LEDGER = {
    "critic_balanced_accuracy": ([0.55, 0.58, 0.57, 0.66, 0.72], 0.05, 400),
    "critic_tpr": ([0.8, 0.79, 0.8, 0.82, 0.84], 0.05, 200),
    "critic_tnr": ([0.3, 0.37, 0.34, 0.5, 0.6], 0.05, 200),
    "critic_first_error": ([0.3, 0.33, 0.31, 0.41, 0.47], 0.05, 200),
    "critic_first_error_near": ([0.45, 0.5, 0.49, 0.6, 0.66], 0.05, 200),
    "critic_agrees_with_people": ([0.6, 0.64, 0.63, 0.7, 0.75], 0.06, 120),
    "critic_unparsed": ([0.05, 0.04, 0.05, 0.03, 0.02], 0.01, 400),
    "judge_agrees_with_people": ([None, None, 0.7, 0.72, 0.74], 0.07, 80),
    "judge_flips": ([None, None, 0.3, 0.27, 0.24], 0.05, 150),
    "judge_first_bias": ([None, None, 0.6, 0.58, 0.57], 0.05, 150),
    "judge_length_bias": ([None, None, 0.62, 0.62, 0.63], 0.05, 150),
    "auroc:logprob": ([0.6, 0.63, 0.62, 0.68, 0.7], 0.03, 800),
    "people_alpha": ([None, 0.7, 0.72, 0.74, 0.78], 0.09, 90),
    "accept_rate": ([0.5, 0.55, 0.54, 0.6, 0.66], 0.05, 120),
    "override_rate": ([0.5, 0.45, 0.46, 0.4, 0.34], 0.05, 120),
    "ppi_right": ([0.40, 0.46, 0.45, 0.50, 0.55], 0.03, 120),
}
POWERED = {
    "naive": 0.62,
    "naive_n": 4000,
    "people": 0.53,
    "people_ci": [0.44, 0.62],
    "people_n": 120,
    "lambda": 0.8,
}


def ledger_make():
    """The story with its ledger; iteration 3 is the control arm and has a value that must not count."""
    past = stories.measured_past(prompts=3)
    rows = []
    for name, (values, half, n) in LEDGER.items():
        for iteration, value in zip([i for i in past.iterations if i.number != 3], values, strict=True):
            if value is not None:
                rows.append(_row(iteration, name, value, half, n))
    rows.append(_row(past.iterations[2], "critic_tnr", 0.99, 0.01, 900))
    MetricValue.objects.bulk_create(rows)
    return past


def _row(iteration, name, value, half, n):
    return MetricValue(
        project_id=iteration.project_id, iteration=iteration, name=name, value=value,
        low=max(0.0, value - half), high=min(1.0, value + half), n=n,
        unit="score" if name.startswith(("auroc", "people_alpha")) else "share",
        detail=POWERED if name == "ppi_right" else {},
    )  # fmt: skip
