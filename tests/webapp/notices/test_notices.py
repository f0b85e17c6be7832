"""Notices: written with what they tell of, sent signed and at least once, to nobody inside the network."""

import hashlib
import hmac
import json
import re
import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from tests import factories as make
from tests.webapp.iterations import support as iterations
from webapp.iterations.services import iteration_retry, iteration_tick, unit_claim, unit_fail
from webapp.notices.models import Channel, Delivery, Event
from webapp.notices.services import (
    ChannelRefused,
    channel_add,
    channel_enable,
    deliveries_send,
    delivery_claim,
    delivery_retry,
    notice_add,
    sending,
)
from webapp.notices.services.posting import NotSent, address_of, is_public
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project_make(slug="words", name="Words")


def channel_make(project, target="a@example.org", *events, **values):
    kind = "email" if "@" in target else "webhook"
    return Channel.objects.create(
        project=project, kind=kind, target=target, events=list(events or Event.values), **values
    )


def tell(project, key="k", event=Event.PROMOTED):
    return notice_add(project=project, event=event, key=key, title="promoted", text="It won.")


def due_at_once():
    Delivery.objects.update(next_try_at=timezone.now())


@contextmanager
def receiver(*statuses):
    """A server on this machine that answers with these, the last one again and again."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, dict(self.headers), body))
            status = statuses[min(len(got), len(statuses)) - 1]
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook?a=1", got
        server.shutdown()
        thread.join()


@pytest.fixture
def inside(settings):
    settings.WEBHOOK_HTTP = settings.WEBHOOK_PRIVATE = True


# ---------------------------------------------------------------------------------------- what is told
def test_what_an_iteration_comes_to_is_told_to_those_who_asked_and_once(settings):
    project = iterations.project_with_prompts()
    channel_make(project)
    channel_make(project, "quiet@example.org", Event.FAILED)
    channel_make(project, "off@example.org", enabled=False)
    iterations.work_until(iterations.start(project, simulate_annotators=True), "done")
    (told,) = Delivery.objects.all()
    assert (told.event, told.channel.target) == ("promoted", "a@example.org")
    assert told.payload["title"].endswith("Iteration 1 promoted")
    assert told.payload["text"].count("Held-out 50.0% → 100.0% (+50.0 points, 95 %") == 1
    assert told.payload["decision"]["promote"] is True
    settings.PUBLIC_URL = "https://whetstone.example.org"
    deliveries_send()
    assert f"\n\nhttps://whetstone.example.org/projects/{project.slug}/iterations/1/" in mail.outbox[0].body


def test_a_failure_is_told_again_when_the_stage_was_tried_again():
    project = iterations.project_with_prompts()
    channel_make(project)
    iteration = iterations.start(project)
    for _ in range(2):
        iteration_tick(iteration_id=iteration.pk)
        unit = unit_claim(queue="model")
        unit_fail(unit_id=unit.pk, token=unit.token, error="the engine broke")
        iteration.refresh_from_db()
        iteration_retry(iteration=iteration, by=None)
    told = Delivery.objects.filter(event="failed").order_by("created_at")
    assert len(told) == 2
    assert "the engine broke" in told[0].payload["text"]


def test_nothing_to_train_is_told_with_the_reason():
    project = iterations.project_with_prompts()
    channel_make(project)
    recipe = iterations.small("rest-em", "annotate.take=0", "finetune.min_rows=500")
    iterations.work_until(iterations.start(project, recipe), "done")
    told = Delivery.objects.get()
    assert told.event == "not_trained"
    assert "fewer than the 500" in told.payload["text"]


def test_a_notice_lives_and_dies_with_its_transaction_and_is_written_once(project):
    channel_make(project)

    class GaveUp(Exception):
        pass

    def give_up():
        with transaction.atomic():
            tell(project)
            raise GaveUp

    with pytest.raises(GaveUp):
        give_up()
    assert not Delivery.objects.exists()
    assert [tell(project), tell(project)] == [1, 1]
    assert Delivery.objects.count() == 1


def test_news_that_cannot_be_written_do_not_stop_what_they_are_about(project):
    channel_make(project)
    assert notice_add(project=project, event=Event.HELD, key="k" * 500, title="", text="") == 0
    assert not Delivery.objects.exists()


# -------------------------------------------------------------------------------------------- how it is sent
def test_an_email_says_it_and_can_be_recognised_when_it_comes_twice(project):
    channel_make(project)
    tell(project)
    assert deliveries_send() == 1
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == (["a@example.org"], "Words: promoted")
    assert "It won." in sent.body
    assert str(Delivery.objects.get().pk) in sent.extra_headers["Message-ID"]
    assert deliveries_send() == 0


def test_a_webhook_is_signed_with_the_channels_secret(project, inside):
    with receiver(204) as (url, got):
        channel = channel_add(project=project, kind="webhook", target=url, events=["promoted"], by=None)
        tell(project)
        deliveries_send()
    ((path, headers, body),) = got
    assert path == "/hook?a=1"
    signed = headers["X-Whetstone-Timestamp"].encode() + b"." + body
    expected = hmac.new(channel.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Whetstone-Signature"] == f"sha256={expected}"
    delivery = Delivery.objects.get()
    assert headers["X-Whetstone-Id"] == json.loads(body)["id"] == str(delivery.pk)
    assert (json.loads(body)["event"], delivery.state) == ("promoted", "sent")


def test_what_was_not_taken_is_tried_again_later_and_later_with_the_same_id(project, inside):
    with receiver(500, 302, 200) as (url, got):
        channel_make(project, url)
        tell(project)
        for status, tries in (("500", 1), ("302", 2)):
            before = timezone.now()
            assert deliveries_send() == 1
            delivery = Delivery.objects.get()
            assert (delivery.state, delivery.attempts) == ("waiting", tries)
            assert status in delivery.last_error
            assert delivery.next_try_at >= before + sending.BACKOFF[tries - 1]
            assert deliveries_send() == 0  # not yet
            due_at_once()
        deliveries_send()
        assert Delivery.objects.get().state == "sent"
        assert len({headers["X-Whetstone-Id"] for _, headers, _ in got}) == 1
        assert {path for path, _, _ in got} == {"/hook?a=1"}, "a redirect was followed"


def test_it_is_given_up_after_the_last_try_and_can_be_asked_for_again(project, inside):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    channel_make(project, f"http://127.0.0.1:{port}/")
    tell(project)
    for _ in range(len(sending.BACKOFF) + 1):
        assert deliveries_send() == 1
        due_at_once()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("given_up", 7)
    assert "not reached" in delivery.last_error
    assert (deliveries_send(), delivery_retry(delivery=delivery), deliveries_send()) == (0, True, 1)


def test_a_receiver_that_is_gone_is_not_asked_again(project, inside):
    with receiver(410) as (url, _):
        channel_make(project, url)
        tell(project)
        deliveries_send()
    assert Delivery.objects.get().state == "given_up"


def test_who_dies_while_sending_leaves_it_to_be_sent_again_and_nobody_sends_it_meanwhile(project):
    channel_make(project)
    tell(project)
    now = timezone.now()
    taken = delivery_claim(now=now)
    assert delivery_claim(now=now) is None
    again = delivery_claim(now=now + sending.LEASE)
    assert again == taken
    sending._failed(taken, "too late", final=True)  # the first one, after the second took over
    again.refresh_from_db()
    assert (again.state, again.last_error) == ("waiting", "")


# ------------------------------------------------------------------------------------- to whom it may go
@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # where clouds keep credentials
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("::127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_which_addresses_are_of_the_open_internet(address, public):
    assert is_public(address) is public


def test_a_name_with_one_inner_address_is_refused_and_the_judged_address_is_used(monkeypatch, settings):
    def answers(*addresses):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 443)) for a in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    answers("93.184.216.34")
    assert address_of("example.org", 443) == "93.184.216.34"
    answers("93.184.216.34", "127.0.0.1")
    with pytest.raises(NotSent, match="private network") as refused:
        address_of("rebound.example.org", 443)
    assert refused.value.final


def test_without_leave_nothing_inside_is_reached(project, settings):
    with receiver(200) as (url, got):
        channel_make(project, url)
        tell(project, "over http")
        settings.WEBHOOK_HTTP = True
        assert deliveries_send(most=1) == 1
        assert "private network" in Delivery.objects.get().last_error
        settings.WEBHOOK_HTTP = False
        tell(project, "again")
        deliveries_send()
    assert got == []
    assert set(Delivery.objects.values_list("state", flat=True)) == {"given_up"}


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        ("email", "nobody", "not an email address"),
        ("email", "a@b.org\nBcc: c@d.org", "not an email address"),
        ("webhook", "http://example.org/", "begins with https://"),
        ("webhook", "ftp://example.org/", "begins with"),
        ("webhook", "https://", "begins with"),
        ("webhook", "https://[broken/", "not a web address"),
        ("webhook", "https://me:secret@example.org/", "name and password"),
        ("pigeon", "loft 4", "no kind of channel"),
    ],
)
def test_what_can_never_be_reached_is_refused(project, kind, target, said):
    with pytest.raises(ChannelRefused, match=said):
        channel_add(project=project, kind=kind, target=target, events=["held"], by=None)
    with pytest.raises(ChannelRefused, match="at least one"):
        channel_add(project=project, kind="email", target="a@example.org", events=["test"], by=None)


# ----------------------------------------------------------------------------------------------- the page
def test_an_administrator_adds_tests_and_removes_a_channel(client, project, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    client.force_login(make.member_make(project, role=Role.ADMIN))
    page = reverse("notices", args=[project.slug])
    form = {"kind": "webhook", "target": "https://example.org/hooks/T0P", "events": ["promoted", "failed"]}
    said = client.post(page, form, follow=True).content.decode()
    channel = Channel.objects.get()
    assert channel.secret in said
    assert "No mail server is set" in said
    assert "There is a channel to this address already." in client.post(page, form).content.decode()
    client.post(reverse("notice_act", args=[project.slug, channel.pk, "test"]))
    assert "Words: a test notice" in client.get(page).content.decode()
    delivery = Delivery.objects.get()
    Delivery.objects.update(state="given_up", last_error="answered with 404")
    assert "answered with 404" in client.get(page).content.decode()
    client.post(reverse("notice_retry", args=[project.slug, delivery.pk]))
    assert Delivery.objects.get().state == "waiting"
    client.post(reverse("notice_act", args=[project.slug, channel.pk, "remove"]))
    assert not Channel.objects.exists()


def test_a_lead_sees_channels_without_what_may_be_secret(client, project, django_assert_max_num_queries):
    for n in range(4):
        channel = channel_make(project, f"https://example.org/hooks/T0P{n}", secret=f"s3cr3t{n}")
    channel_enable(channel=channel, on=False, by=None)
    tell(project)
    client.force_login(make.member_make(project, role=Role.LEAD))
    page = reverse("notices", args=[project.slug])
    with django_assert_max_num_queries(10):
        said = client.get(page).content.decode()
    assert "https://example.org/…" in said
    assert not re.search(r"\bT0P\d\b", said)
    assert "s3cr3t" not in said
    assert client.post(page, {"kind": "email"}).status_code == 403
    assert client.post(reverse("notice_act", args=[project.slug, channel.pk, "test"])).status_code == 403
    client.force_login(make.member_make(project))
    assert client.get(page).status_code == 403
