"""The OpenAI-compatible engine against a small server on the loopback interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from loop.finetune.artifacts import ArtifactError, write_manifest
from loop.model import GenerateRequest, ScoreRequest
from loop.records import Message, Sampling
from workers.engines import engine_for
from workers.engines.openai_engine import EngineError, NotSupported, OpenAIEngine

QUESTION = (Message("user", "What is 3 + 4?"),)


class FakeServer(ThreadingHTTPServer):
    """Answers like vLLM: the text is a function of the request, so that every mix-up shows."""

    def __init__(self, owner: str = "vllm") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.owner, self.seen, self.failures = owner, list[tuple[str, Any]](), 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        if path == "/v1/models":
            return 200, {"data": [{"id": "tiny", "owned_by": self.owner}]}
        if self.failures:
            self.failures -= 1
            return 503, {"error": "warming up"}
        if path == "/v1/load_lora_adapter":
            return (200, "ok") if self.owner == "vllm" else (404, "no such page")
        if path == "/tokenize":
            text = (
                body.get("prompt", "")
                if "prompt" in body
                else "".join(m["content"] for m in body["messages"])
            )
            return 200, {"tokens": [ord(c) for c in text]}
        if path == "/v1/completions":
            table = [None] + [{str(t): {"logprob": -t / 100}} for t in body["prompt"][1:]]
            return 200, {"choices": [{"text": "x", "prompt_logprobs": table}]}
        if body["messages"][0]["content"] == "broken":
            return 400, {"error": "broken on purpose"}
        last = body["messages"][-1]["content"]
        return 200, {
            "choices": [
                {
                    "message": {"content": f"{body['model']}|{last}|{body['seed']}"},
                    "logprobs": {
                        "content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -0.25}]
                    },
                    "token_ids": [1, 2],
                    "finish_reason": "length" if body["max_tokens"] == 1 else "stop",
                }
            ]
        }


class Handler(BaseHTTPRequestHandler):
    server: FakeServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply(None)

    def do_POST(self) -> None:
        self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def reply(self, body: Any) -> None:
        self.server.seen.append((self.path, body))
        status, answer = self.server.answer(self.path, body)
        data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.engines.openai_engine.time.sleep", lambda seconds: None)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    yield from serve("vllm")


@pytest.fixture
def plain_server() -> Iterator[FakeServer]:
    yield from serve("somebody")


def serve(owner: str) -> Iterator[FakeServer]:
    with FakeServer(owner) as made:
        made.daemon_threads = True
        made.block_on_close = False
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def engine(server: FakeServer) -> Iterator[OpenAIEngine]:
    made = engine_for(f"openai+{server.address}#tiny")
    assert isinstance(made, OpenAIEngine)
    yield made
    made.close()


def adapter(folder: Path) -> Path:
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    write_manifest(folder, {})
    return folder


def test_every_sample_goes_with_its_own_seed(engine: OpenAIEngine) -> None:
    warm = Sampling(temperature=0.7, max_new_tokens=9)
    requests = [GenerateRequest((Message("user", f"q{i}"),), warm, (i, i + 100)) for i in range(40)]
    answers = engine.generate(requests)
    assert [[c.text for c in cs] for cs in answers] == [
        [f"tiny|q{i}|{i}", f"tiny|q{i}|{i + 100}"] for i in range(40)
    ]
    assert (answers[0][0].token_ids, answers[0][0].logprobs) == ((1, 2), (-0.5, -0.25))


def test_settings_arrive(engine: OpenAIEngine, server: FakeServer) -> None:
    sampling = Sampling(0.7, 0.9, 20, 1, ("\n\n",))
    done = engine.generate([GenerateRequest(QUESTION, sampling, (5,), prefix="3 +")])[0][0]
    assert done.finish == "length"
    body = server.seen[-1][1]
    want = {"temperature": 0.7, "top_p": 0.9, "top_k": 20, "max_tokens": 1, "stop": ["\n\n"], "seed": 5}
    want |= {"logprobs": True, "add_generation_prompt": False, "continue_final_message": True}
    assert want.items() <= body.items()
    assert body["messages"][-1] == {"role": "assistant", "content": "3 +"}


def test_greedy_asks_once(engine: OpenAIEngine, server: FakeServer) -> None:
    done = engine.generate(
        [GenerateRequest(QUESTION, Sampling(), (1, 2, 3)), GenerateRequest(QUESTION, Sampling(), ())]
    )
    assert [len(cs) for cs in done] == [3, 0]
    assert sum(path == "/v1/chat/completions" for path, _ in server.seen) == 1


def test_score_reads_prompt_logprobs(engine: OpenAIEngine) -> None:
    scored = engine.score([ScoreRequest(QUESTION, "ab", prefix="x"), ScoreRequest(QUESTION, "")])
    assert scored[0].token_ids == (97, 98)
    assert scored[0].logprobs == (-0.97, -0.98)
    assert scored[1].logprobs == ()


def test_adapters_are_loaded_by_name_once(engine: OpenAIEngine, server: FakeServer, tmp_path: Path) -> None:
    engine.load_adapter("v1", adapter(tmp_path / "v1"))
    engine.load_adapter("v1", tmp_path / "v1")
    assert [body for path, body in server.seen if path == "/v1/load_lora_adapter"] == [
        {"lora_name": "v1", "lora_path": str(tmp_path / "v1")}
    ]
    done = engine.generate([GenerateRequest(QUESTION, Sampling(), (1,), adapter="v1")])[0][0]
    assert done.text.startswith("v1|")
    with pytest.raises(ValueError, match="already means"):
        engine.load_adapter("v1", adapter(tmp_path / "other"))
    with pytest.raises(LookupError, match="'v2'"):
        engine.generate([GenerateRequest(QUESTION, Sampling(), (1,), adapter="v2")])
    (tmp_path / "v1" / "adapter_model.safetensors").write_bytes(b"changed")
    with pytest.raises(ArtifactError, match="sha256 differs"):
        engine.load_adapter("v3", tmp_path / "v1")


def test_a_busy_server_is_asked_again_and_a_refusal_is_told(engine: OpenAIEngine, server: FakeServer) -> None:
    server.failures = 2
    assert engine.generate([GenerateRequest(QUESTION, Sampling(), (1,))])[0][0].text
    server.failures = 99
    with pytest.raises(EngineError, match=r"busy \(503\).*warming up"):
        engine.generate([GenerateRequest(QUESTION, Sampling(), (1,))])
    server.failures = 0
    with pytest.raises(EngineError, match=r"refused \(400\).*broken on purpose"):
        engine.generate([GenerateRequest((Message("user", "broken"),), Sampling(), (1,))])


def test_what_a_plain_server_cannot_do_is_said(plain_server: FakeServer, tmp_path: Path) -> None:
    engine = OpenAIEngine(plain_server.address)
    assert engine.model == "tiny"
    with pytest.raises(NotSupported, match="cannot score"):
        engine.score([ScoreRequest(QUESTION, "a")])
    with pytest.raises(NotSupported, match="beginning of an answer"):
        engine.generate([GenerateRequest(QUESTION, Sampling(), (1,), prefix="3")])
    with pytest.raises(NotSupported, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
        engine.load_adapter("v1", adapter(tmp_path / "v1"))
    engine.generate([GenerateRequest(QUESTION, Sampling(), (1,))])
    assert "return_token_ids" not in plain_server.seen[-1][1]
    engine.close()


def test_a_wrong_address_or_model_is_said(server: FakeServer) -> None:
    with pytest.raises(EngineError, match=r"no model 'big'; it has: tiny"):
        OpenAIEngine(f"{server.address}#big")
    with pytest.raises(EngineError, match="cannot be reached"):
        OpenAIEngine("http://127.0.0.1:9/v1#tiny")


def test_while_answers_are_awaited_the_engine_may_be_used_for_something_else(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.engines.openai_engine.LOOK_UP", 0.001)
    engine = OpenAIEngine(server.address)
    request = GenerateRequest(QUESTION, Sampling(temperature=1.0), (1, 2))
    aside = []

    def between() -> None:
        engine.between = lambda: None
        aside.append(engine.generate([request]))

    engine.between = between
    seen: list[list[list[str]]] = []
    whole = engine.generate([request], watch=lambda so_far: seen.append(so_far()))
    assert aside == [whole]
    assert seen[-1] == [[c.text for c in whole[0]]]
    engine.close()
