"""Any server that speaks OpenAI's HTTP interface (vLLM, SGLang, llama.cpp, ...), by its address.

What lies beyond that interface is used only where the server is known to have it: continuing a prefix,
token ids, adapters at run time (vLLM, SGLang), log-probs of given text (vLLM).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx

from loop.finetune.artifacts import verified
from loop.model import Completion, GenerateRequest, RewardRequest, ScoredText, ScoreRequest, Watch

CONTINUES = ("vllm", "sglang")  # servers that take continue_final_message
TRIES = 4
ASIDE = 8  # connections kept free for what `OpenAIEngine.between` asks
LOOK_UP = 0.1  # seconds between two looks up from waiting for the server
BUSY = (429, 502, 503, 504)


class EngineError(RuntimeError):
    """The server cannot be reached or refuses; the message has its words."""


class NotSupported(EngineError):
    """This server cannot do what was asked."""


class OpenAIEngine:
    """An `loop.model.Engine` on a remote server.

    Args:
        address: ``http://host:port/v1#model``; the model may be left out when the server has just one.
        adapters: name -> folder (with a manifest) that the *server* can read under the same path.
        concurrency: requests in flight at once; the server batches them.
        timeout_s: for one request, which may wait in the server's queue.
        api_key: default: the environment's OPENAI_API_KEY, if any.

    Raises:
        EngineError: no answer, or no such model.
    """

    def __init__(
        self,
        address: str,
        adapters: Mapping[str, Path] | None = None,
        *,
        concurrency: int = 64,
        timeout_s: float = 600.0,
        api_key: str | None = None,
    ) -> None:
        self.url, _, model = address.partition("#")
        self.url = self.url.rstrip("/")
        key = api_key or os.environ.get("OPENAI_API_KEY", "")
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=httpx.Limits(max_connections=concurrency + ASIDE),
        )
        self._concurrency = concurrency
        # Called now and then while answers are awaited, on the waiting thread. It may use the engine itself.
        self.between: Callable[[], None] = lambda: None
        self._paths: dict[str, Path] = {}
        try:
            self._connect(model)
            for name, path in (adapters or {}).items():
                self.load_adapter(name, path)
        except BaseException:
            self.close()
            raise

    def _connect(self, model: str) -> None:
        served = {m["id"]: m for m in self._call("GET", f"{self.url}/models").get("data", [])}
        self.model = model or (next(iter(served)) if len(served) == 1 else "")
        if self.model not in served:
            raise EngineError(
                f"{self.url} has no model {self.model!r}; it has: {', '.join(served) or 'none'}"
            )
        self.kind = str(served[self.model].get("owned_by", "")).lower()
        self.name = f"openai:{self.url}#{self.model}"
        self._served = set(served)

    def close(self) -> None:
        """Close the connections. The engine is of no use afterwards."""
        self._http.close()

    def load_adapter(self, name: str, path: Path) -> None:
        """Have the server load an adapter. A name never means another folder: its caches go by name.

        Raises:
            ArtifactError: the folder fails its manifest. ValueError: the name means another folder.
            NotSupported: the server loads no adapters at run time.
        """
        path = path.resolve()
        if name in self._paths:
            if self._paths[name] != path:
                raise ValueError(f"adapter name {name!r} already means {self._paths[name]}")
            return
        verified(path)
        if name not in self._served:
            body = {"lora_name": name, "lora_path": str(path)}
            try:
                self._call("POST", f"{self.url}/load_lora_adapter", body, text=True)
            except NotSupported as error:
                raise NotSupported(
                    f"{self.url} does not load adapters at run time; vLLM needs --enable-lora and"
                    " VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
                ) from error
        self._paths[name] = path

    # -- Engine

    def generate(
        self, requests: Sequence[GenerateRequest], *, watch: Watch | None = None
    ) -> list[list[Completion]]:
        """``request.n`` completions per request, in order.

        One HTTP request per sample: the interface has one seed for all of its n samples, ours have one
        each. Servers with a prefix cache compute the shared prompt once all the same. Determinism is the
        server's: most keep a seed's text only up to floating point and batch composition.

        Raises:
            NotSupported: a prefix, with a server not known to continue one.
            EngineError: the server fails. LookupError: an adapter that was not loaded.
        """
        jobs = []
        for r in requests:
            seeds = r.seeds if r.sampling.temperature else r.seeds[:1]  # greedy samples are all alike
            jobs += [self._chat_body(r, seed) for seed in seeds]

        def in_place(answers: Iterable[Completion]) -> list[list[Completion]]:
            left = iter(answers)
            return [
                [next(left) for _ in r.seeds] if r.sampling.temperature else [next(left)] * r.n if r.n else []
                for r in requests
            ]

        def look_up(asked: Sequence[Future[dict[str, Any]]]) -> None:
            if watch is not None:  # answers come whole: words would need a stream each
                come = [_completion(a.result()) if a.done() else Completion("") for a in asked]
                watch(lambda: [[c.text for c in of_one] for of_one in in_place(come)])

        answers = self._all(f"{self.url}/chat/completions", jobs, look_up)
        return in_place(map(_completion, answers))

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoredText]:
        """Log-probs of given completions, on exactly the ids this project trains on.

        Raises:
            NotSupported: any server but vLLM: the common interface has no log-probs of given text.
        """
        if self.kind != "vllm":
            raise NotSupported(f"{self.url} cannot score given text; use vLLM or the transformers engine")
        root = self.url.removesuffix("/v1") + "/tokenize"
        asks: list[dict[str, Any]] = []
        for r in requests:
            chat = [{"role": m.role, "content": m.content} for m in r.messages]
            asks.append({"model": self.model, "messages": chat, "add_generation_prompt": True})
            asks += [
                {"model": self.model, "prompt": text, "add_special_tokens": False}
                for text in (r.prefix, r.completion)
            ]
        ids = [answer["tokens"] for answer in self._all(root, asks)]
        triples = [(ids[i] + ids[i + 1], ids[i + 2]) for i in range(0, len(ids), 3)]
        bodies = [
            {
                "model": self._model_of(r.adapter),
                "prompt": context + completion,
                "max_tokens": 1,
                "temperature": 0,
                "prompt_logprobs": 0,
            }
            for r, (context, completion) in zip(requests, triples, strict=True)
        ]
        out = []
        answers = self._all(f"{self.url}/completions", bodies)
        for (context, completion), answer in zip(triples, answers, strict=True):
            table = answer["choices"][0]["prompt_logprobs"][len(context) :]
            logprobs = tuple(
                float(entry[str(token)]["logprob"]) for token, entry in zip(completion, table, strict=True)
            )
            out.append(ScoredText(tuple(completion), logprobs))
        return out

    def reward(self, requests: Sequence[RewardRequest]) -> list[tuple[float, ...]]:
        """Raises NotSupported: no common interface reads a trained head beside a model that writes."""
        raise NotSupported(
            f"{self.url} cannot run a trained scorer; use the base model's folder in place of its address"
        )

    # -- HTTP

    def _chat_body(self, r: GenerateRequest, seed: int) -> dict[str, Any]:
        s = r.sampling
        body: dict[str, Any] = {
            "model": self._model_of(r.adapter),
            "messages": [{"role": m.role, "content": m.content} for m in r.messages],
            "temperature": s.temperature,
            "top_p": s.top_p,
            "max_tokens": s.max_new_tokens,
            "seed": seed % 2**63,
            "logprobs": True,
        }
        if s.stop:
            body["stop"] = list(s.stop)
        if s.top_k:
            body["top_k"] = s.top_k
        if self.kind == "vllm":
            body["return_token_ids"] = True
        if r.prefix:
            if self.kind not in CONTINUES:
                raise NotSupported(f"{self.url} is not known to continue a given beginning of an answer")
            body["messages"].append({"role": "assistant", "content": r.prefix})
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        return body

    def _model_of(self, adapter: str | None) -> str:
        if adapter is None:
            return self.model
        if adapter not in self._paths:
            raise LookupError(
                f"no adapter called {adapter!r} is loaded; there are: {', '.join(self._paths) or 'none'}"
            )
        return adapter

    def _all(
        self,
        url: str,
        bodies: Sequence[dict[str, Any]],
        look_up: Callable[[Sequence[Future[dict[str, Any]]]], None] = lambda _: None,
    ) -> list[dict[str, Any]]:
        """The answers in order. ``look_up`` is called now and then until all have come."""
        pool = ThreadPoolExecutor(max_workers=self._concurrency)
        try:
            asked = [pool.submit(self._call, "POST", url, body) for body in bodies]
            waiting: set[Future[dict[str, Any]]] = set(asked)
            while waiting:
                _, waiting = wait(waiting, timeout=LOOK_UP)
                self.between()
                look_up(asked)
            return [a.result() for a in asked]
        finally:
            pool.shutdown(cancel_futures=True)  # after a failure nothing more is sent

    def _call(self, method: str, url: str, body: Any = None, *, text: bool = False) -> dict[str, Any]:
        """One request, tried again while the server is busy or away. ``text``: the answer is no JSON."""
        problem = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(0.5 * 2**attempt)
            try:
                answer = self._http.request(method, url, json=body)
            except httpx.TransportError as error:
                problem = f"{url} cannot be reached: {error}"
                continue
            if answer.status_code in BUSY:
                problem = f"{url} is busy ({answer.status_code}): {answer.text[:500]}"
                continue
            if answer.status_code in (404, 405, 501):
                raise NotSupported(f"{url} is not offered ({answer.status_code}): {answer.text[:500]}")
            if answer.is_error:
                raise EngineError(f"{url} refused ({answer.status_code}): {answer.text[:500]}")
            return {} if text else dict(answer.json())
        raise EngineError(problem)


def _completion(answer: dict[str, Any]) -> Completion:
    choice = answer["choices"][0]
    tokens = (choice.get("logprobs") or {}).get("content") or []
    return Completion(
        text=choice["message"].get("content") or "",
        token_ids=tuple(choice.get("token_ids") or ()),
        logprobs=tuple(float(t["logprob"]) for t in tokens),
        finish="length" if choice.get("finish_reason") == "length" else "stop",
    )
