"""The recipe schema and its loader: method + settings + human gate + training objective + gate.

A recipe is one small YAML in `loop/recipes/`; the folder is the registry. Unknown keys are errors,
so a misspelt setting cannot be silently ignored.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from loop.annotate.order import policy_named
from loop.finetune.objectives import OBJECTIVES, SCORER_ROLES, Role
from loop.recipe_parts import (
    AnnotatePart,
    CuratePart,
    EvaluatePart,
    FinetunePart,
    GatePart,
    PromptsPart,
    Strict,
    meant_for,
)
from loop.records import RowKind

FOLDER = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """A recipe that cannot be read; the message says which file, which key and why."""


class Recipe(Strict):
    """One runnable way of improving a model."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1)
    title: str
    paper: str = ""
    summary: str
    method: str = Field(description="module name in loop/methods")
    settings: dict[str, Any] = Field(default_factory=dict, description="checked by the method's own Settings")
    feedback_source: Literal["verifier", "self", "people", "mixed"]
    needs: tuple[
        Literal["reference", "verifier", "logprobs", "code", "people", "reward", "process_reward"], ...
    ] = Field((), description="reward and process_reward: a scorer of that role must be in use")
    uses_gold_at: Literal["never", "data", "select", "stop", "eval"]
    prompts: PromptsPart = PromptsPart()
    annotate: AnnotatePart = AnnotatePart()
    curate: CuratePart = CuratePart()
    finetune: FinetunePart = FinetunePart()
    evaluate: EvaluatePart = EvaluatePart()
    gate: GatePart = GatePart()

    @model_validator(mode="after")
    def _objective_trains_the_rows(self) -> Recipe:
        name, rows = self.finetune.objective, self.curate.rows
        can = OBJECTIVES[name].rows
        if foreign := [kind.value for kind in rows if kind not in can]:
            known = ", ".join(kind.value for kind in RowKind if kind in can)
            raise ValueError(
                f"finetune.objective {name} cannot train rows of {', '.join(foreign)}; it trains {known}"
            )
        if name == "sft" and RowKind.OUTCOME in rows and self.finetune.reward_temperature is None:
            raise ValueError("outcome rows are trained by sft only with finetune.reward_temperature")
        return self

    @model_validator(mode="after")
    def _no_setting_is_ignored(self) -> Recipe:
        name = self.finetune.objective
        ignored = [
            f"finetune.{field}"
            for field, info in FinetunePart.model_fields.items()
            if getattr(self.finetune, field) != info.default and not meant_for(info.description or "", {name})
        ]
        if name == "grpo" and self.curate.weights:
            ignored.append("curate.weights")
        if ignored:
            raise ValueError(f"{', '.join(ignored)}: objective {name} does not read this; leave it out")
        return self

    @property
    def trains_role(self) -> Role:
        """The role of the model it trains."""
        return OBJECTIVES[self.finetune.objective].gives

    @property
    def scorer_role(self) -> Role | None:
        """The role of the one scorer that its iterations pin: what it needs, or what it trains anew."""
        asked = [role for role in SCORER_ROLES if role in self.needs]
        return asked[0] if asked else None if self.trains_role == "policy" else self.trains_role

    @model_validator(mode="after")
    def _one_scorer_is_named(self) -> Recipe:
        asked, gives = [role for role in SCORER_ROLES if role in self.needs], self.trains_role
        if len(asked) > 1:
            raise ValueError("needs: an iteration has one scorer; name reward or process_reward, not both")
        if asked and gives not in ("policy", asked[0]):
            raise ValueError(f"needs: a recipe that trains a {gives} model can only use that kind of scorer")
        if self.curate.accept == "scorer" and not asked:
            raise ValueError("curate.accept scorer: name reward or process_reward in needs")
        return self

    @model_validator(mode="after")
    def _two_critiques_are_compared_in_a_review(self) -> Recipe:
        compares = self.annotate.kind == "critique_review" and self.annotate.critiques == 2
        if self.annotate.critiques == 2 and not compares:
            raise ValueError("annotate.critiques 2 is for annotate.kind critique_review")
        if RowKind.CRITIQUE_PAIR in self.curate.rows and not compares:
            raise ValueError("critique_pair rows come from annotate.kind critique_review with critiques 2")
        return self

    @model_validator(mode="after")
    def _gold_is_admitted(self) -> Recipe:
        rows, asks = set(self.curate.rows), self.annotate.kind != "none" and self.annotate.take
        where = (
            "curate.accept verifier" if self.curate.accept == "verifier"
            # A person's verdict counts there only where it agrees with the checker's, if there is one.
            else "critique, critique_pair and refinement rows"
            if rows & {RowKind.CRITIQUE, RowKind.CRITIQUE_PAIR, RowKind.REFINEMENT}
            # Neither the model's own verdict nor a scorer is asked of continuations: a checker's is.
            else "trajectory and step_pair rows"
            if self.curate.accept in ("self_verdict", "scorer")
            and rows & {RowKind.TRAJECTORY, RowKind.STEP_PAIR}
            else f"annotate.order {self.annotate.order}"
            if asks and policy_named(self.annotate.order).reads_checker
            else ""
        )  # fmt: skip
        if where and self.uses_gold_at in ("never", "eval"):
            raise ValueError(f"{where} reads the checker's verdicts: uses_gold_at must say data or select")
        return self


@cache
def method_names() -> tuple[str, ...]:
    """Every module in loop/methods, by name: the folder is the registry."""
    import loop.methods

    return tuple(sorted(m.name for m in pkgutil.iter_modules(loop.methods.__path__)))


def method_named(name: str) -> ModuleType:
    """The method module: it has ``Settings`` (pydantic) and ``async improve(prompt, model, p)``.

    Raises:
        RecipeError: no such module.
    """
    if name not in method_names():
        known = ", ".join(method_names())
        raise RecipeError(f"no method called {name!r} in loop/methods; there are: {known}")
    return importlib.import_module(f"loop.methods.{name}")


def recipe_parse(data: Any, where: str) -> Recipe:
    """Validate a recipe mapping; ``where`` names its source in errors.

    Raises:
        RecipeError: with every offending key.
    """
    if not isinstance(data, dict):
        raise RecipeError(f"{where}: expected keys and values, found {type(data).__name__}")
    try:
        recipe = Recipe.model_validate(data)
        method_named(recipe.method).Settings.model_validate(recipe.settings)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors()]
        raise RecipeError(f"{where}: " + "; ".join(lines)) from error
    return recipe


def recipe_load(path: Path) -> Recipe:
    """Read one recipe file.

    Raises:
        RecipeError: unreadable YAML, unknown keys, bad values, or a name that is not the file's.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RecipeError(f"{path.name}: cannot be read: {error}") from error
    recipe = recipe_parse(data, path.name)
    if recipe.name != path.stem:
        raise RecipeError(f"{path.name}: name is {recipe.name!r} but the file is called {path.stem!r}")
    return recipe


def recipes() -> dict[str, Recipe]:
    """All recipes of the repository, by name."""
    return {path.stem: recipe_load(path) for path in sorted(FOLDER.glob("*.yaml"))}


def recipe_named(name: str) -> Recipe:
    """The recipe called ``name``.

    Raises:
        RecipeError: no such recipe, or it cannot be read.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml")))
        raise RecipeError(f"no recipe called {name!r}; there are: {known}")
    return recipe_load(path)
