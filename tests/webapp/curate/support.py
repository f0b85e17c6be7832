"""Examples in the database, with as little around them as a test needs."""

from loop.curate.sameness import text_sha
from tests import factories as make
from tests import luck
from webapp.curate.models import Example


def example_make(iteration, prompt=None, *, chosen="", kind="sample", **values):
    """An accepted row; its hashes follow from its text."""
    n = luck.number()
    prompt = prompt or make.prompt_make(iteration.project)
    row = {
        "kind": kind,
        "prompt_id": str(prompt.pk),
        "messages": [{"role": "user", "content": prompt.text}],
        "chosen": chosen or f"2 + {n} = {n + 2}\nAnswer: {n + 2}",
        "rejected": None,
        "prefix": "",
        "ends": True,
        "weight": 1.0,
        **values.pop("row", {}),
    }
    values = {"accepted_by": "verifier", "writer": "model", "row_sha": f"{n:064x}", **values}
    return Example.objects.create(
        project=iteration.project,
        iteration=iteration,
        prompt=prompt,
        kind=kind,
        row=row,
        text_sha=text_sha(row, values.get("response_id")),
        **values,
    )
