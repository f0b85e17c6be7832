"""The program that knows every step's truth in the arithmetic domain.

A step is an equation (``3 * 12 = 36``) or the final line (``Answer: 45``). It is GOOD when it is true
and computes a quantity that belongs to the problem by any equivalent route, NEUTRAL when it is true
but only restates what is known, and WRONG otherwise: a wrong result, a wrong operation, a number
from nowhere, or a line that cannot be read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from loop.dialects import ReadCritique
from loop.domains.arithmetic.algebra import Problem, combine_prints, problem_from
from loop.domains.arithmetic.plan import Known, next_steps, number_text
from loop.records import Mark, Prompt, Verdict

WRONG_RESULT = "wrong result"
WRONG_OPERATION = "wrong operation"
UNKNOWN_NUMBER = "unknown number"
WRONG_ANSWER = "wrong answer"
UNREADABLE = "unreadable step"

_ANSWER = re.compile(
    r"^(?:the )?(?:final )?answer(?: is|:| =)?\s*\$?(-?\d+(?:\.\d+)?)(?:\s*[A-Za-z ]*)\.?$", re.IGNORECASE
)
_EQUATION = re.compile(r"^([-+*/() .\d]{1,120}?)=\s*(-?\d+(?:\.\d+)?)(?:\s+[A-Za-z ]*)?\.?$")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_MAX_READINGS = 256  # ways to tell equal numbers apart within one step


class NotArithmetic(ValueError):
    """The prompt carries no readable arithmetic program."""


def problem_of(prompt: Prompt) -> Problem:
    """The problem behind a prompt of this domain.

    Raises:
        NotArithmetic: ``prompt.meta`` is not what `generate` writes.
    """
    meta = prompt.meta
    if meta.get("domain") != "arithmetic":
        raise NotArithmetic(
            f"prompt {prompt.id} is not of the arithmetic domain: its meta has no such domain"
        )
    try:
        program = tuple((str(op), str(left), str(right)) for op, left, right in meta["program"])
        numbers = tuple(int(n) for n in meta["numbers"])
        return problem_from(program, numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise NotArithmetic(
            f"prompt {prompt.id} has a damaged arithmetic program in its meta: {error}"
        ) from error


def judge(prompt: Prompt, steps: Sequence[str]) -> ReadCritique:
    """Judge every step up to the first error; the rest stay unjudged.

    The verdict is RIGHT when the last stated answer equals the problem's, even if a step on the way
    is wrong; a solution that states no answer is WRONG. The first error carries a comment saying
    what kind it is, and the corrected step.

    Raises:
        NotArithmetic: the prompt is not of this domain.
    """
    problem = problem_of(prompt)
    known = Known(problem)
    marks: list[Mark | None] = []
    comments: dict[int, str] = {}
    corrections: dict[int, str] = {}
    first_error = None
    for index, step in enumerate(steps):
        mark, reason, better = _judge_step(problem, known, step)
        marks.append(mark)
        if mark is Mark.WRONG:
            first_error = index
            comments[index] = reason
            corrections[index] = better or _nearest(step, next_steps(problem, known)) or _answer_line(problem)
            break
    marks += [None] * (len(steps) - len(marks))
    return ReadCritique(tuple(marks), first_error, _verdict(problem, steps), comments, corrections)


def solve_from(prompt: Prompt, steps: Sequence[str] = ()) -> list[str]:
    """The steps that lead from a good prefix to the answer line; empty when the answer is already stated.

    Raises:
        ValueError: the prefix has an error in it.
        NotArithmetic: the prompt is not of this domain.
    """
    problem = problem_of(prompt)
    known = Known(problem)
    answered = False
    for index, step in enumerate(steps):
        mark, reason, _ = _judge_step(problem, known, step)
        if mark is Mark.WRONG:
            raise ValueError(f"cannot continue: step {index + 1} ({step!r}) is wrong ({reason})")
        answered = answered or _ANSWER.match(step.strip()) is not None
    if answered:
        return []
    return [*next_steps(problem, known), _answer_line(problem)]


def _answer_line(problem: Problem) -> str:
    return f"Answer: {number_text(problem.answer.value)}"


def _judge_step(problem: Problem, known: Known, step: str) -> tuple[Mark, str, str]:
    """Mark, what is wrong, and the better step if it follows from this one; a good result becomes known."""
    text = step.strip().replace("×", "*").replace("÷", "/").replace("−", "-")
    if answer := _ANSWER.match(text):
        if Fraction(answer[1]) == problem.answer.value:
            return Mark.GOOD, "", ""
        # A stated answer too early or too wrong: what should come next is the next step.
        return Mark.WRONG, WRONG_ANSWER, ""
    equation = _EQUATION.match(text)
    if not equation:
        return (Mark.NEUTRAL, "", "") if _is_remark(known, text) else (Mark.WRONG, UNREADABLE, "")
    try:
        tree = ast.parse(equation[1].strip(), mode="eval").body
        value = _value(tree)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return Mark.WRONG, UNREADABLE, ""
    prints = _prints(tree, known)
    if not prints:
        return Mark.WRONG, UNKNOWN_NUMBER, ""
    new = [p for p in prints if p in problem.useful and p not in known.prints]
    restated = [p for p in prints if p in known.prints]
    if not new and not restated:
        return Mark.WRONG, WRONG_OPERATION, ""
    if value != Fraction(equation[2]):
        # 17 / 3 may be part of a valid route, but nobody should be told to go on with 5.6667.
        better = f"{equation[1].strip()} = {number_text(value)}" if value.denominator == 1 else ""
        return Mark.WRONG, WRONG_RESULT, better
    for fingerprint in new:
        known.add(fingerprint, value)
    # 6 * 2 may stand for two quantities of the story; said as often as that, it is no repetition.
    wording = " ".join(sorted(re.findall(r"[\d.]+|[^\s]", equation[1])))
    known.said[wording] += 1
    repeated = known.said[wording] > len([p for p in prints if p in problem.useful])
    return (Mark.NEUTRAL if repeated else Mark.GOOD), "", ""


def _is_remark(known: Known, text: str) -> bool:
    """Prose that claims no new number: every number in it is known already."""
    if "=" in text or not re.search(r"[A-Za-z]{2}", text):
        return False
    return all(Fraction(n) in known.by_value for n in _NUMBER.findall(text))


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.BinOp):
        a, b = _value(node.left), _value(node.right)
        match node.op:
            case ast.Add():
                return a + b
            case ast.Sub():
                return a - b
            case ast.Mult():
                return a * b
            case ast.Div():
                return a / b
    raise ValueError("only whole and decimal numbers, + - * / and brackets")


def _prints(node: ast.expr, known: Known) -> set[int]:
    """Every formula the expression can mean: equal numbers may stand for different quantities."""
    if isinstance(node, ast.Constant):
        return set(known.by_value.get(_value(node), ()))
    assert isinstance(node, ast.BinOp)
    op = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(node.op)]
    pairs = list(product(_prints(node.left, known), _prints(node.right, known)))[:_MAX_READINGS]
    return {p for a, b in pairs if (p := combine_prints(op, a, b)) is not None}


def _nearest(step: str, options: list[str]) -> str:
    """The step that should stand here: of those possible now, the one most like what was written."""
    said = _NUMBER.findall(step)
    ready = [o for i, o in enumerate(options) if not _needs(o, options[:i])]
    return max(ready, key=lambda o: sum(n in said for n in _NUMBER.findall(o.split("=")[0])), default="")


def _needs(option: str, earlier: list[str]) -> bool:
    inputs = _NUMBER.findall(option.split("=", maxsplit=1)[0])
    return any(e.rsplit("= ", 1)[1] in inputs for e in earlier)


def _verdict(problem: Problem, steps: Sequence[str]) -> Verdict:
    stated = [m[1] for step in steps if (m := _ANSWER.match(step.strip()))]
    right = bool(stated) and Fraction(stated[-1]) == problem.answer.value
    return Verdict.RIGHT if right else Verdict.WRONG
