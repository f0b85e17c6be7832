"""What the gate says for and against a challenger, with named holes: pages say it in other languages."""

from loop.phrases import phrase

BASE = phrase("the bare base")
BASELINE = phrase("the no-training baseline")

UNPAIRED = phrase(
    "{n} of {all} held-out prompts could not be scored on both sides; see the errors of the evaluation"
)
TOO_FEW = phrase("only {n} held-out prompts were scored on both sides; at least {least} needed")
NOT_SCORED = phrase("challenger and {other} could not be scored on the same held-out prompts")
WON = phrase(
    "held-out accuracy rose by {by} points (95 % interval {low} to {high}) on {n} prompts: {gained} put "
    "right, {lost} lost, p = {p}"
)
# Against the champion, and against another.
FELL = (
    phrase("held-out accuracy fell by {by} points"),
    phrase("held-out accuracy fell by {by} points against {other}"),
)
SAME = (
    phrase("held-out accuracy did not change"),
    phrase("held-out accuracy did not change against {other}"),
)
ROSE_LITTLE = (
    phrase("held-out accuracy rose by {by} points, the gate asks for at least {least} points"),
    phrase(
        "held-out accuracy rose by {by} points against {other}, the gate asks for at least {least} points"
    ),
)
CHANCE = (
    phrase("the difference may be chance: p = {p}, the gate asks for below {alpha}"),
    phrase("the difference against {other} may be chance: p = {p}, the gate asks for below {alpha}"),
)
GUARD = phrase("guard {name}: {broken}")
UNMEASURED = phrase("could not be measured on both sides")
UNSCORED = phrase("{n} of {all} prompts could not be scored on both sides")
WORSE = phrase("went from {before} to {after}, worse by more than the {margin} points allowed")
NO_CHANCE = phrase(
    "went from {before} to {after}, which is no chance ({lost} lost, {gained} gained, p = {p})"
)
SLICE = phrase(
    "slice {by} {name} broke: from {before} to {after} on its {n} held-out prompts ({lost} lost, {gained} "
    "put right, p = {p} after Holm's correction)"
)
UNCOUNTED = phrase("guard length: the answers' tokens were not counted on both sides")
LONGER = phrase(
    "guard length: answers went from {before} to {after} tokens on average; at most {most} times the "
    "champion's are allowed"
)
NOBODY_COMPARED = phrase("nobody compared the pairs that were asked for blindly")
COMPARED = phrase(
    "people who compared blindly chose the challenger in {share} of {n} pairs (a tie is half); the gate asks "
    "for at least {least}"
)

# The more special of two that fit comes first.
TEXTS = (
    BASE, BASELINE, UNPAIRED, TOO_FEW, NOT_SCORED, WON, *reversed(FELL), *reversed(SAME),
    *reversed(ROSE_LITTLE), *reversed(CHANCE), UNMEASURED, UNSCORED, WORSE, NO_CHANCE, SLICE, UNCOUNTED,
    LONGER, GUARD, NOBODY_COMPARED, COMPARED,
)  # fmt: skip
