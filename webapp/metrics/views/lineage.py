"""From any number down to the rows it came from, and back up: a drawer on any page, or a page of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.accounts.models import User
from webapp.annotate.reviewing import said_of
from webapp.curate.lineage import example_for, pieces_of
from webapp.iterations.flips import pair_of
from webapp.iterations.models import Iteration
from webapp.iterations.selectors import compared_blindly
from webapp.metrics.tracing import clicked, examples, number, prompts, upward
from webapp.metrics.tracing.wanted import Wanted
from webapp.metrics.values import title_of
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

Context = dict[str, Any]
Crumb = tuple[str, str]  # what it is called, its address; the last one is where one stands


@project_page()
@require_GET
def lineage(request: SignedInRequest, project: Project) -> HttpResponse:
    """The deepest thing that the address names."""
    wanted = Wanted.of_query(request.GET.dict())
    context = {"project": project, "wanted": wanted, "may_lead": at_least(project.my_role, Role.LEAD)}
    context |= _level(wanted)(project, request.user, wanted)
    context["trail"] = [(title, request.path + query) for title, query in _above(wanted)]
    context["permalink"] = f"{request.path}{wanted.address()}"
    inside = bool(request.headers.get("HX-Request"))
    response = render(
        request, "metrics/lineage_drawer.html" if inside else "metrics/lineage_page.html", context
    )
    response["Vary"] = "HX-Request"
    return response


def _level(wanted: Wanted) -> Callable[[Project, User, Wanted], Context]:
    if wanted.annotation:
        return _annotation
    if wanted.example:
        return _example
    if not (wanted.metric and wanted.iteration):
        raise Http404(_("The lineage starts at a number of an iteration, or at an answer."))
    if wanted.response:
        return _response
    if wanted.prompt:
        return _prompt
    return {"prompts": _prompts, "examples": _examples, "answers": _answers}.get(wanted.show, _number)


def _above(wanted: Wanted) -> list[Crumb]:
    """The way back: the number, then the list one came through."""
    if not (wanted.metric and wanted.iteration):
        return []
    deep = wanted.annotation or wanted.example or wanted.prompt or wanted.response
    title = f"{title_of(wanted.metric)}, {_('iteration {n}').format(n=wanted.iteration)}"
    trail = [(title, wanted.number())] if deep or wanted.show else []
    lists = {"prompts": _("Prompts"), "examples": _("Rows resting on answers"), "answers": _("Answers")}
    if deep and wanted.show in lists:
        kept = {"of": wanted.of, "sort": wanted.sort, "source": wanted.source, "page": wanted.page}
        trail.append((lists[wanted.show], wanted.listed(wanted.show, **kept)))
    if wanted.prompt and wanted.response:
        trail.append((_("Prompt {n}").format(n=wanted.prompt), wanted.address(response=None)))
    return trail


def _top(project: Project, wanted: Wanted) -> tuple[Iteration, number.Number]:
    iteration = number.iteration_of(project, wanted.iteration)
    return iteration, number.number_of(iteration, wanted.metric)


def _hidden(project: Project, on: str) -> bool:
    """Whose answers are whose must not be told while people compare them."""
    return on == "outcomes" and not at_least(project.my_role, Role.LEAD) and compared_blindly(project)


def _number(project: Project, _reader: User, wanted: Wanted) -> Context:
    iteration, found = _top(project, wanted)
    hidden = _hidden(project, found.on)
    pair = pair_of(iteration, found.split) if found.on == "outcomes" else None
    return {
        "level": "metrics/lineage_number.html",
        "title": found.title,
        "iteration": iteration,
        "number": found,
        "hidden": hidden,
        "counts": prompts.outcome_counts(pair) if pair and not hidden else None,
        "behind": number.behind(project, number.measured_model(iteration, found)),
    }


def _prompts(project: Project, _reader: User, wanted: Wanted) -> Context:
    iteration, found = _top(project, wanted)
    context: Context = {"title": _("Prompts"), "iteration": iteration, "number": found}
    if found.on != "outcomes":
        page = prompts.figures_page(project, iteration, wanted)
        return context | {"level": "metrics/lineage_samples.html", "page": page}
    context |= {"level": "metrics/lineage_outcomes.html", "hidden": _hidden(project, found.on)}
    pair = pair_of(iteration, found.split)
    if context["hidden"] or pair is None:
        return context
    page, rows = prompts.outcomes_page(pair, wanted)
    return context | {"page": page, "rows": rows, "counts": prompts.outcome_counts(pair)}


def _prompt(project: Project, _reader: User, wanted: Wanted) -> Context:
    iteration, found = _top(project, wanted)
    prompt = prompts.prompt_for(project, wanted.prompt)
    context: Context = {
        "title": _("Prompt {n}").format(n=prompt.pk),
        "iteration": iteration,
        "prompt": prompt,
    }
    if found.on != "outcomes":
        lead = at_least(project.my_role, Role.LEAD)
        samples = prompts.samples_of(iteration, prompt) if lead else []
        return context | {"level": "metrics/lineage_prompt.html", "samples": samples}
    context |= {"level": "metrics/lineage_both.html", "hidden": _hidden(project, found.on)}
    pair = pair_of(iteration, found.split)
    if context["hidden"] or pair is None:
        return context
    return context | {"both": prompts.both_of(pair, prompt.pk), "pair": pair}


def _response(project: Project, reader: User, wanted: Wanted) -> Context:
    if not at_least(project.my_role, Role.LEAD):
        raise Http404(_("What the model answered is for leads: it would tell annotators what others say."))
    iteration = number.iteration_of(project, wanted.iteration)
    response = prompts.response_for(iteration, wanted.response)
    answers, made = prompts.about_response(iteration, response)
    return {
        "level": "metrics/lineage_response.html",
        "title": _("Response"),
        "iteration": iteration,
        "response": response,
        "answers": _worded(project, reader, answers),
        "examples": made,
    }


def _worded(project: Project, reader: User, answers: list[Any]) -> list[Context]:
    return [
        {
            "answer": a,
            "author": examples.author_shown(project, reader, a.user),
            "word": said_of(a.task.kind, a.outcome, a.payload),
        }
        for a in answers
    ]


def _examples(project: Project, reader: User, wanted: Wanted) -> Context:
    iteration, found = _top(project, wanted)
    behind = number.behind(project, number.measured_model(iteration, found))
    if behind is None or behind.dataset is None:
        raise Http404(_("Nothing was trained here: there are no rows to list."))
    source = number.iteration_of(project, wanted.source) if wanted.source else None
    made_by = source.pk if source else behind.dataset.iteration_id
    return {
        "level": "metrics/lineage_examples.html",
        "title": _("Rows resting on answers"),
        "iteration": iteration,
        "behind": behind,
        "source": source,
        "sources": examples.sources_of(project, behind.dataset) if behind.replayed else [],
        "found": examples.resting(project, behind.dataset, made_by, before=wanted.before, reader=reader),
    }


def _answers(project: Project, reader: User, wanted: Wanted) -> Context:
    iteration = number.iteration_of(project, wanted.iteration)
    lead = at_least(project.my_role, Role.LEAD)
    found, more = prompts.answers_page(iteration, None if lead else reader, wanted.before)
    return {
        "level": "metrics/lineage_answers.html",
        "title": _("Answers"),
        "iteration": iteration,
        "answers": _worded(project, reader, found),
        "older": found[-1].pk if more else None,
    }


def _example(project: Project, reader: User, wanted: Wanted) -> Context:
    assert wanted.example is not None
    example = example_for(project, wanted.example)
    answers = example.annotations.select_related("user", "task").order_by("id")
    return {
        "level": "metrics/lineage_example.html",
        "title": _("Example {n}").format(n=example.pk),
        "example": example,
        "pieces": pieces_of(example.row),
        "answers": _worded(project, reader, list(answers)),
        "ways": upward.ways_up(project, [example], far=wanted.far),
    }


def _annotation(project: Project, reader: User, wanted: Wanted) -> Context:
    assert wanted.annotation is not None
    answer = clicked.answer_for(project, reader, wanted.annotation)
    found = clicked.clicked(project, reader, answer)
    return {
        "level": "metrics/lineage_annotation.html",
        "title": _("Your answer") if found.own else _("Answer of {who}").format(who=found.author),
        "clicked": found,
        "ways": upward.ways_up(project, found.examples, far=wanted.far),
    }
