"""A model card from facts: Markdown with the front matter that Hugging Face's hub reads.

Facts are what `webapp.registry.facts` gathers; all but ``name``, ``role``, ``base`` and ``project`` may be
absent. Nothing is claimed that is not a fact: what was not measured is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from loop.recipe_parts import FinetunePart, heeded_by

Facts = Mapping[str, Any]
ROLES = {
    "policy": "answers prompts",
    "reward": "scores whole answers",
    "process_reward": "scores the steps of an answer",
}
PIPELINE = {"policy": "text-generation"}  # the others' pipeline is text-classification
CLASSES = {
    "policy": "AutoModelForCausalLM",
    "reward": "AutoModelForSequenceClassification",
    "process_reward": "AutoModelForTokenClassification",
}
NAMED = {"final_loss": "training loss, mean of the last 10 updates"}
SPLITS = {"heldout": "held-out", "probe": "probe"}


def card(facts: Facts, *, merged: bool = False) -> str:
    """The card as a file. ``merged``: of the base with the adapter merged in, not of the adapter alone."""
    return f"{_front(facts, merged)}\n\n# {facts['name']}\n\n{body(facts, merged=merged)}"


def body(facts: Facts, *, merged: bool = False) -> str:
    """The card without front matter and title, as a page shows it."""
    sections = [
        _what(facts, merged),
        _part("What people say of it", facts.get("note", "").strip()),
        _part("Lineage", _lineage(facts)),
        _part("Data", _data(facts)),
        _part("Recipe and training", _training(facts)),
        _part("Metrics", _metrics(facts)),
        _part("Decision", _decision(facts)),
        _part("Limits", _bullets(limits(facts))),
        _part("Hashes", _hashes(facts)),
        _part("How to load it", _loading(facts, merged)),
    ]
    return "\n\n".join(s for s in sections if s) + "\n"


# -- front matter


def _front(facts: Facts, merged: bool) -> str:
    adapter = bool(facts.get("adapter")) and not merged
    front: dict[str, Any] = {
        "base_model": facts["base"],
        "base_model_relation": "adapter" if adapter else "finetune",
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": PIPELINE.get(facts["role"], "text-classification"),
        "tags": ["whetstone", *(["lora"] if adapter else []), *_tags(facts)],
    }
    if results := [_result(m) for m in facts.get("measurements", ()) if m["value"] is not None]:
        front["model-index"] = [{"name": facts["name"], "results": results}]
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=110)
    return f"---\n{text}---"


def _tags(facts: Facts) -> list[str]:
    objective = facts.get("training", {}).get("objective")
    recipe = str(facts.get("recipe") or "").split(" ")[0]
    return [tag for tag in (objective, recipe) if tag]


def _result(measured: Mapping[str, Any]) -> dict[str, Any]:
    split = SPLITS.get(measured["split"], measured["split"])
    return {
        "task": {"type": "text-generation"},
        "dataset": {
            "type": "whetstone",
            "name": f"{measured['of']} {split} prompts",
            "split": measured["split"],
            "revision": measured["prompts_sha"][:12],
        },
        "metrics": [{"type": "accuracy", "value": round(measured["value"], 4), "name": "answers right"}],
    }


# -- sections


def _what(facts: Facts, merged: bool) -> str:
    if not facts.get("adapter"):
        kind = f"The bare base model `{facts['base']}`, as project *{facts['project']}* uses it"
    elif merged:
        kind = f"`{facts['base']}` with a LoRA adapter merged into its weights"
    else:
        kind = f"A LoRA adapter for `{facts['base']}`"
    status = str(facts.get("status_words") or "")
    sentence = (
        f"{kind}. It {ROLES[facts['role']]}. Version {facts.get('number')} of project *{facts['project']}*"
    )
    return sentence + (f", {status}." if status else ".")


def _lineage(facts: Facts) -> str:
    line = facts.get("lineage", ())
    if len(line) < 2:
        return ""
    rows = [(v["name"], v.get("recipe") or "base model", v.get("status", "")) for v in line]
    return "Each was trained starting from the one above it.\n\n" + _table(
        ("version", "made by", "status"), rows
    )


def _data(facts: Facts) -> str:
    data = facts.get("dataset")
    if not data:
        return "It was imported; what it was trained on is not known here." if facts.get("imported") else ""
    manifest = data.get("manifest", {})
    lines = [
        f"Dataset version {data['number']}: {_n(data['rows'])} rows"
        + (f" from {_n(manifest['prompts'])} prompts" if manifest.get("prompts") else "")
        + f", sha256 `{data['sha256']}`."
    ]
    if data.get("control"):
        lines.append(
            "**Its labels were shuffled on purpose: a control arm, to be compared with and not used.**"
        )
    for title, key in (
        ("kind of row", "kinds"),
        ("accepted by", "accepted_by"),
        ("source", "sources"),
        ("age in model versions", "ages"),
    ):
        if table := manifest.get(key):
            lines.append(_table((title, "rows"), [(k, _n(v)) for k, v in table.items()]))
    people = data.get("people")
    if people and any(people.values()):
        lines.append(
            f"Answers by people in that iteration: {_n(people['people'])};"
            f" by programs that stand in for people: {_n(people['simulated'])}."
        )
    if leak := manifest.get("leak"):
        lines.append(_leakage(leak))
    return "\n\n".join(lines)


def _leakage(leak: Mapping[str, Any]) -> str:
    if not leak.get("ngram"):
        return "Near-copies of held-out prompts were not looked for."
    found, left_out = leak.get("prompts", 0), leak.get("rows", 0)
    return (
        f"Near-copies of held-out prompts: {_n(found) if found else 'none'}"
        f" among {_n(leak.get('checked', 0))} train prompts, compared with {_n(leak.get('compared', 0))}"
        f" (a near-copy holds {_share(leak.get('share'))} or more of one's runs of {leak['ngram']} words)"
        + (f"; {_n(left_out)} of their rows were left out." if found else ".")
    )


def _training(facts: Facts) -> str:
    training = facts.get("training", {})
    rows = [("recipe", facts["recipe"])] if facts.get("recipe") else []
    plain = ("objective", "rows", "steps", "final_loss", "tokens", "tokens_per_s", "mfu", "padding_share",
             "seconds", "seed", "device")  # fmt: skip
    rows += [
        (NAMED.get(k, k.replace("_", " ")), _value(training[k])) for k in plain if training.get(k) is not None
    ]
    text = _table(("what", "value"), rows) if rows else ""
    if finetune := training.get("finetune"):
        text += "\n\nSettings: " + _inline(_heeded(finetune, training.get("objective"))) + "."
    if dropped := training.get("dropped"):
        text += "\n\nRows that could not be trained on: " + _inline(dropped) + "."
    if versions := training.get("versions"):
        text += "\n\nWith " + ", ".join(f"{k} {v}" for k, v in versions.items()) + "."
    return text.strip()


def _heeded(finetune: Any, objective: Any) -> Any:
    """Without the settings of other objectives, which changed nothing. What is not known here stays."""
    if not isinstance(finetune, Mapping) or not objective:
        return finetune
    idle = FinetunePart.model_fields.keys() - set(heeded_by(str(objective)))
    return {name: value for name, value in finetune.items() if name not in idle}


def _metrics(facts: Facts) -> str:
    rows = [
        (
            m["model"],
            SPLITS.get(m["split"], m["split"]),
            _share(m["value"]),
            _interval(m["low"], m["high"]),
            _n(m["of"]),
            _n(m.get("errors", 0)),
            _per(m.get("tokens"), m["of"], ""),
            _per(m.get("seconds"), m["of"], " s"),
        )
        for m in (*facts.get("measurements", ()), *facts.get("compared", ()))
    ]
    if not rows:
        return "It was not measured."
    head = ("model", "prompts", "right", "95 %", "of", "not scored", "tokens per answer", "time per answer")
    text = (
        "Answers right by the prompts' own checkers, greedy; all rows of a split are of the same prompts.\n\n"
    )
    text += _table(head, rows)
    baseline = (facts.get("decision") or {}).get("baseline")
    if baseline and baseline.get("accuracy") is not None:
        shots = baseline.get("shots", "some")
        text += f"\n\nWithout training, with {shots} worked examples before each question:"
        text += f" {_share(baseline['accuracy'])} of {_n(baseline.get('n', 0))}."
    return text


def _decision(facts: Facts) -> str:
    parts = []
    decision = facts.get("decision")
    if decision:
        effect = decision.get("effect")
        line = "The gate promoted it" if decision.get("promote") else "The gate held it"
        if effect is not None:
            ends = decision.get("ci95")
            line += f": {100 * effect:+.1f} points against the champion on {_n(decision.get('n', 0))} prompts"
            line += f" (95 % {100 * ends[0]:+.1f} to {100 * ends[1]:+.1f})" if ends else ""
        parts.append(line + ".")
        parts.append(_bullets(decision.get("reasons", ())))
    parts += [
        f"{p['at']}: {p['kind'].replace('_', ' ')} by {p['by']}. {'; '.join(p['reasons'])}".strip()
        for p in facts.get("promotions", ())
        if p["kind"] != "held"
    ]
    return "\n\n".join(p for p in parts if p)


def limits(facts: Facts) -> list[str]:
    """What speaks against relying on it, one plain sentence each."""
    found = []
    if domains := facts.get("domains"):
        found.append(
            f"This project knows it on prompts of {_listed(domains)} only; of anything else it says nothing."
        )
    held = [m for m in facts.get("measurements", ()) if m["split"] == "heldout"]
    if not held:
        found.append("It was not measured on held-out prompts.")
    else:
        low, high = held[0]["low"], held[0]["high"]
        wide = f", so its share right is known to ± {50 * (high - low):.1f} points" if low is not None else ""
        found.append(f"{_n(held[0]['of'])} held-out prompts were used{wide}.")
    people = (facts.get("dataset") or {}).get("people") or {}
    if people.get("simulated"):
        share = people["simulated"] / (people["simulated"] + people["people"])
        found.append(f"{_share(share)} of the answers it learnt from were given by programs, not by people.")
    decision = facts.get("decision") or {}
    found += [
        f"Worse than the champion on {broken.get('by')} “{broken.get('name')}”:"
        f" {_share(broken.get('before'))} before, {_share(broken.get('after'))} after"
        f" ({_n(broken.get('n', 0))} prompts)."
        for broken in decision.get("slices_broken", ())
    ]
    if decision.get("turned_wrong"):
        found.append(
            f"Held-out prompts that the champion had right and it has wrong: {_n(decision['turned_wrong'])}"
            f" ({_n(decision.get('turned_right', 0))} the other way round)."
        )
    if facts.get("imported"):
        found.append("It was trained elsewhere; its data and settings are not known here.")
    if facts.get("control"):
        found.append("It is a control arm: trained on shuffled labels, never to be used.")
    if facts["role"] != "policy":
        found.append("A high score says what it was taught to like, not that an answer is right.")
    found.append("Nothing was tested for safety, bias or misuse; it inherits whatever its base model does.")
    return found


def _hashes(facts: Facts) -> str:
    names = (
        ("base weights", "base_sha"),
        ("tokenizer", "tokenizer_sha"),
        ("chat template", "template_sha"),
        ("adapter (its file table)", "adapter_sha"),
    )
    rows = [(title, f"`{facts[key]}`") for title, key in names if facts.get(key)]
    return "All sha256; they are compared at every load.\n\n" + _table(("of", "sha256"), rows) if rows else ""


def _loading(facts: Facts, merged: bool) -> str:
    base, kind = facts["base"], CLASSES[facts["role"]]
    if not merged and not facts.get("adapter"):
        return ""
    lines = [f"from transformers import {kind}, AutoTokenizer", ""]
    if merged:
        lines += [f'model = {kind}.from_pretrained("FOLDER")']
    else:
        lines.insert(0, "from peft import PeftModel")
        lines += [f'base = {kind}.from_pretrained("{base}")']
        lines += ['model = PeftModel.from_pretrained(base, "FOLDER")']
    lines += [f'tokenizer = AutoTokenizer.from_pretrained("{"FOLDER" if merged else base}")']
    code = "\n".join(lines)
    last = "Ask with the tokenizer's own chat template; another template is another model."
    return f"```python\n{code}\n```\n\n{last}"


# -- words and tables


def _part(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(text: Any) -> str:
    """Within one line and one cell, whatever a name holds."""
    return " ".join(str(text).replace("|", "\\|").split())


def _inline(table: Any) -> str:
    if not isinstance(table, Mapping):
        return _value(table)
    return ", ".join(f"{str(k).replace('_', ' ')} {_value(v)}" for k, v in table.items() if v is not None)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return f"({_inline(value)})"
    return _cell(value)


def _n(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _share(value: Any) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f} %"


def _per(total: Any, of: int, unit: str) -> str:
    return f"{total / of:.3g}{unit}" if total and of else "–"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
