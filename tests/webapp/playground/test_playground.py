"""The playground: who may talk to whom, blind sides, one answer at a time, votes counted by hand."""

import re
from datetime import timedelta

import pytest
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from tests import factories as make
from tests.stories import past_make
from tests.webapp.iterations.support import together
from webapp.annotate.leased import MOST_ATTEMPTS
from webapp.playground import selectors, services
from webapp.playground.models import Session, Turn, Vote
from webapp.playground.services import PlaygroundError
from webapp.projects.models import AuditEvent, Role
from webapp.registry.models import ModelVersion
from webapp.registry.services import model_register

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def past(client):
    past = past_make(tasks=0)
    client.force_login(past.lead, backend=BACKEND)
    return past


@pytest.fixture
def both(past):
    return [past.base, past.better]


def start(past, versions, **more):
    return services.session_start(project=past.project, by=past.lead, versions=versions, **more)


def answered(session, text="2 + 2?", left="4", right="5"):
    """Ask, and answer as a worker does."""
    services.turn_ask(session=session, by=session.author, text=text)
    turn = services.turn_claim()
    answers = [{"text": t, "finish": "stop", "tokens": 1} for t in (left, right)]
    services.turn_finish(pk=turn.pk, token=turn.token, answers=answers[: 2 if session.right_id else 1])
    return turn


def at(past, name, session=None):
    return reverse(name, args=[past.project.slug, *([session.pk] if session else [])])


def text_of(response):
    return re.sub(r"[ \n]+", " ", response.content.decode())


# ---- who, with whom ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANNOTATOR])
def test_it_is_for_leads_and_a_talk_is_its_authors_alone(client, past, both, role):
    session = start(past, both)
    client.force_login(make.member_make(past.project, role=role), backend=BACKEND)
    assert client.get(at(past, "playground")).status_code == 403
    assert client.get(at(past, "playground_talk", session)).status_code == 403
    client.force_login(make.member_make(past.project, role=Role.LEAD), backend=BACKEND)
    for name in ("talk", "live"):
        assert client.get(at(past, f"playground_{name}", session)).status_code == 404
    for name in ("say", "vote", "cancel", "again"):
        assert client.post(at(past, f"playground_{name}", session), {"text": "x"}).status_code == 404
        assert client.get(at(past, f"playground_{name}", session)).status_code == 405


def test_only_versions_that_write_and_have_their_weights(past, both):
    reward = model_register(project=past.project, parent=past.base, adapter_path="r", role="reward")
    gone = model_register(project=past.project, parent=past.base, adapter_path="g")
    ModelVersion.objects.filter(pk=gone.pk).update(weights_removed_at=timezone.now())
    foreign = past_make(tasks=0).base
    for version in (reward, gone, foreign):
        with pytest.raises(PlaygroundError, match="cannot be talked to"):
            start(past, [version])
    with pytest.raises(PlaygroundError, match="two different"):
        start(past, [past.base, past.base])
    with pytest.raises(PlaygroundError, match="needs two"):
        start(past, [past.base], blind=True)


def test_a_blind_talk_is_shuffled_and_another_is_as_asked(past, both):
    drawn = {start(past, both, blind=True).left_id for _ in range(40)}
    assert drawn == {v.pk for v in both}  # 2 in 2^40 that this fails by chance
    assert [(s.left_id, s.right_id) for s in [start(past, both)]] == [(both[0].pk, both[1].pk)]


# ---- asking -----------------------------------------------------------------------------------------------


def test_one_open_answer_per_person_whatever_the_talk(past, both):
    first, second = start(past, both), start(past, [past.base])
    services.turn_ask(session=first, by=past.lead, text="one")
    with pytest.raises(PlaygroundError, match="waiting for an answer already"):
        services.turn_ask(session=second, by=past.lead, text="two")
    assert services.turn_cancel(session=first, by=past.lead)
    assert not services.turn_cancel(session=first, by=past.lead)
    assert services.turn_ask(session=second, by=past.lead, text="two").number == 1


def test_nothing_and_too_much_are_refused(past, both, monkeypatch):
    session = start(past, both)
    with pytest.raises(PlaygroundError, match="no message"):
        services.turn_ask(session=session, by=past.lead, text=" \0\n")
    monkeypatch.setattr(services, "LONGEST", 3)
    with pytest.raises(PlaygroundError, match="4 characters; at most 3"):
        services.turn_ask(session=session, by=past.lead, text="long")


@pytest.mark.django_db(transaction=True)
def test_two_at_once_leave_one_open(past, both):
    sessions = [start(past, both) for _ in range(4)]

    def ask(session):
        try:
            return services.turn_ask(session=session, by=past.lead, text="now")
        except PlaygroundError:
            return None

    assert sum(t is not None for t in together([lambda s=s: ask(s) for s in sessions])) == 1


# ---- the worker's side -------------------------------------------------------------------------------------


def test_a_turn_is_claimed_once_and_a_late_worker_writes_nothing(past, both):
    session = start(past, both)
    services.turn_ask(session=session, by=past.lead, text="2 + 2?")
    late = services.turn_claim(base="seed")
    assert services.turn_claim() is None
    Turn.objects.update(lease_until=F("created_at"))
    heir = services.turn_claim()
    assert (heir.pk, heir.attempt) == (late.pk, 2)
    assert not services.turn_heartbeat(pk=late.pk, token=late.token, partial=["4"])
    with pytest.raises(services.TurnLost):
        services.turn_finish(pk=late.pk, token=late.token, answers=[])
    assert services.turn_heartbeat(pk=heir.pk, token=heir.token, partial=["4\0", "5\ufffd"])
    assert Turn.objects.get().partial == ["4", "5"]
    services.turn_release(pk=heir.pk, token=heir.token)
    assert (Turn.objects.get().state, Turn.objects.get().attempt) == ("queued", 1)


def test_a_busy_worker_takes_only_what_its_base_can_answer(past, both):
    ModelVersion.objects.filter(pk=past.better.pk).update(base="another")
    services.turn_ask(session=start(past, both), by=past.lead, text="hello")
    assert services.turn_claim(base="seed") is None
    assert services.turn_claim(base="another") is None
    assert services.turn_claim() is not None


def test_what_nobody_takes_and_what_kills_its_workers_is_given_up(past, both, monkeypatch):
    woken = []
    monkeypatch.setattr(services.broker, "announce", woken.append)
    session = start(past, both)
    services.turn_ask(session=session, by=past.lead, text="hello")
    now = timezone.now()
    assert (services.turns_sweep(now=now), woken) == (0, [])
    assert (services.turns_sweep(now=now + timedelta(seconds=3)), woken) == (1, ["model"])
    services.turns_sweep(now=now + timedelta(minutes=11))
    assert "No model worker took this" in Turn.objects.get().error
    services.turn_ask(session=session, by=past.lead, text="again")
    for _ in range(MOST_ATTEMPTS):
        services.turn_claim()
        Turn.objects.filter(number=2).update(lease_until=F("created_at"))
    assert services.turn_claim() is None
    assert Turn.objects.get(number=2).state == "failed"


# ---- voting ------------------------------------------------------------------------------------------------


def test_a_vote_is_cast_once_on_a_blind_talk_that_was_answered(past, both):
    blind = start(past, both, blind=True)
    vote = lambda s, c="left": services.vote_cast(session=s, by=past.lead, choice=c)  # noqa: E731
    with pytest.raises(PlaygroundError, match="nothing to vote on"):
        vote(blind)
    services.turn_ask(session=blind, by=past.lead, text="hello")
    with pytest.raises(PlaygroundError, match="still being written"):
        vote(blind)
    services.turn_cancel(session=blind, by=past.lead)
    answered(blind)
    with pytest.raises(PlaygroundError, match="Choose one"):
        vote(blind, "third")
    vote(blind)
    event = AuditEvent.objects.get(verb="playground vote")
    assert (event.actor, event.data["choice"]) == (past.lead, "left")
    with pytest.raises(PlaygroundError, match="You have voted"):
        vote(blind, "right")
    seen = start(past, both)
    answered(seen)
    with pytest.raises(PlaygroundError, match="blind talks only"):
        vote(seen)


def test_votes_are_counted_by_version_whichever_side_it_was_on(past, both):
    """3 for the newer, 1 for the older, a tie: 75 % of 4, Wilson 30.1 to 95.4 %."""
    base, better = both
    for left, right, choice in [
        (base, better, "right"), (better, base, "left"), (base, better, "right"), (better, base, "right"),
        (base, better, "tie"), (better, base, "both_bad"),
    ]:  # fmt: skip
        session = Session.objects.create(
            project=past.project, author=past.lead, left=left, right=right, blind=True
        )
        Vote.objects.create(session=session, project=past.project, choice=choice)
    (pair,) = selectors.preferences_of(past.project)
    assert (pair.older, pair.newer, pair.votes) == (base, better, 6)
    assert (pair.for_older, pair.for_newer, pair.ties, pair.both_bad) == (1, 3, 1, 1)
    assert pair.share.value == 0.75
    assert pair.share.ci95 == pytest.approx((0.3006, 0.9544), abs=1e-4)


# ---- pages -------------------------------------------------------------------------------------------------


def test_from_the_form_to_an_answer(client, past, both, django_assert_num_queries):
    form = {"left": 1, "right": 2, "temperature": "0.5", "max_new_tokens": "64", "text": "2 + **2**?"}
    reply = client.post(at(past, "playground"), form)
    session = Session.objects.get()
    assert reply["Location"] == at(past, "playground_talk", session) + "#latest"
    assert (session.left, session.right, session.temperature) == (past.base, past.better, 0.5)
    turn = services.turn_claim()
    services.turn_heartbeat(pk=turn.pk, token=turn.token, partial=["It is <b>", ""])
    waiting = text_of(client.get(at(past, "playground_live", session)))
    assert "It is &lt;b&gt;" in waiting
    assert "Writing…" in waiting
    answers = [{"text": t, "finish": "length", "tokens": 9} for t in ("**4** <script>x</script>", "five")]
    services.turn_finish(pk=turn.pk, token=turn.token, answers=answers)
    with django_assert_num_queries(8):  # of them the page: the talk, its turns
        shown = text_of(client.get(at(past, "playground_talk", session)))
    assert "<strong>4</strong>" in shown
    assert "<script>x" not in shown
    assert "cut off" in shown
    assert "A talk with v1 and v2" in shown
    assert "Which side is better?" not in shown


def test_a_blind_talk_names_nobody_until_the_vote(client, past, both):
    session = start(past, both, blind=True)
    answered(session)
    hidden = text_of(client.get(at(past, "playground_talk", session)))
    assert "Which side is better?" in hidden
    # Whole words only: a form's random token may well hold "v1".
    assert not re.search(r"\bv\d+\b", re.sub(r'(href|src|content)="[^"]*"', "", hidden))
    assert "blind ·" in text_of(client.get(at(past, "playground")))
    shown = text_of(client.post(at(past, "playground_vote", session), {"choice": "right"}, follow=True))
    assert f"A was v{session.left.number}, B was v{session.right.number}." in shown
    assert "You voted: B is better" in shown
    assert "Share of the newer" in text_of(client.get(at(past, "playground")))


def test_what_could_not_be_sent_is_not_lost(client, past, both):
    session = start(past, both)
    services.turn_ask(session=session, by=past.lead, text="first")
    page = text_of(
        client.post(at(past, "playground_say", session), {"text": "second <thought>"}, follow=True)
    )
    assert "waiting for an answer already" in page
    assert "second &lt;thought&gt;</textarea>" in page
    assert "Cancelled" in text_of(client.post(at(past, "playground_cancel", session), follow=True))


def test_the_start_page_in_a_fixed_number_of_queries(client, past, both, django_assert_num_queries):
    for _ in range(3):
        answered(start(past, both, blind=True))
    with django_assert_num_queries(9):
        page = text_of(client.get(at(past, "playground")))
    assert page.count("1 message") == 3
    assert "talks" in page


def test_settings_out_of_range_are_refused_at_their_field(client, past, both):
    form = {"left": 1, "right": 1, "temperature": "9", "max_new_tokens": "64", "text": "hello"}
    assert client.post(at(past, "playground"), form).status_code == 422
    refused = client.post(at(past, "playground"), {**form, "temperature": "1"})
    assert "two different ones" in text_of(refused)
    assert not Session.objects.exists()


def test_starting_anew_keeps_versions_and_settings(client, past, both):
    session = start(past, both, temperature=0.1)
    answered(session)
    client.post(at(past, "playground_again", session))
    other = Session.objects.exclude(pk=session.pk).get()
    assert (other.left, other.right, other.temperature, other.turns.count()) == (*both, 0.1, 0)


def test_without_a_model_there_is_a_next_step(client):
    bare = make.project_make()
    client.force_login(make.member_make(bare, role=Role.LEAD), backend=BACKEND)
    assert "Nobody to talk to yet" in text_of(client.get(reverse("playground", args=[bare.slug])))
