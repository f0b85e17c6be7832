"""Any Hugging Face model in this process: batched sampling, scoring, LoRA adapters by name."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loop.model import Completion, GenerateRequest, RewardRequest, ScoredText, ScoreRequest, Watch
from loop.records import Message
from workers.engines.hashes import model_folder, weight_files
from workers.engines.memory import share_the_cpu

log = logging.getLogger(__name__)


class TransformersEngine:
    """An `loop.model.Engine` on transformers; one per process and device, safe to call from threads.

    Args:
        base: Hugging Face folder or hub id.
        adapters: name -> folder with a manifest (see `loop.finetune.artifacts`).
        device: "auto" (CUDA if there is one), "cpu", "cuda", "cuda:1" ...
        dtype: "auto" (bfloat16 on CUDA, float32 on CPU) or a torch dtype's name.
        max_batch_tokens: room of the key-value cache in tokens; None = from the free memory.
        threads: torch's CPU threads; None leaves torch's own choice.

    Raises:
        FileNotFoundError: there is no such model, or it has no safetensors weights.
        ValueError: its files are damaged, or it is of a kind that cannot run here.
        ArtifactError: an adapter does not fit or is damaged.
    """

    def __init__(
        self,
        base: str,
        adapters: Mapping[str, Path] | None = None,
        *,
        device: str = "auto",
        dtype: str = "auto",
        max_batch_tokens: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.name = f"transformers:{base}"
        self.base = base
        folder = model_folder(base)
        weight_files(folder)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # workers fork; its threads would deadlock

        share_the_cpu()
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from workers.engines.adapters import AdapterTable
        from workers.engines.lanes import lanes_fit
        from workers.engines.memory import batch_rows, cache_tokens
        from workers.engines.tokens import ChatTokens, model_end_ids, quieten

        quieten()
        if threads:
            torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if dtype == "auto":
            dtype = "bfloat16" if device.startswith("cuda") else "float32"
        try:
            self.model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, dtype), use_safetensors=True
            ).to(device)
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise ValueError(f"the model in {folder} cannot be read: {error}") from error
        self.model.eval().requires_grad_(False)
        if not lanes_fit(self.model.config):
            raise ValueError(
                f"{base} has layers other than attention over keys and values; serve it with an"
                " OpenAI-compatible server and give its address instead"
            )
        self.tokens = ChatTokens(AutoTokenizer.from_pretrained(folder), model_end_ids(self.model))
        self.context = int(
            getattr(self.model.config.get_text_config(decoder=True), "max_position_embeddings", None)
            or 1 << 30
        )
        self.max_batch_tokens = max_batch_tokens or cache_tokens(self.model)
        self.max_rows = batch_rows(self.model)
        self._adapters = AdapterTable(self.model, base)
        self._lock = threading.RLock()
        # Called often while the engine is at work, on its thread. It may use the engine itself: what is
        # under way goes on afterwards as if nothing had been.
        self.between: Callable[[], None] = lambda: None
        for name, path in (adapters or {}).items():
            self.load_adapter(name, path)

    def load_adapter(self, name: str, path: Path) -> None:
        """See `AdapterTable.load`: verified, once per name, never another folder under a known name."""
        with self._lock:
            self._adapters.load(name, path)

    # -- Engine

    def generate(
        self, requests: Sequence[GenerateRequest], *, watch: Watch | None = None
    ) -> list[list[Completion]]:
        """``request.n`` completions per request, in order.

        ``token_ids`` and ``logprobs`` include the end token where the model wrote one; ``text`` does not.
        A completion whose room ran out (``max_new_tokens`` or the model's context) finishes "length".

        Raises:
            ValueError: a prompt alone fills the model's context.
            LookupError: a request names an adapter that is not loaded, or a scorer.
            MemoryError: not even one sample fits.
        """
        from workers.engines.decode import Decoder, Row

        rows: dict[str | None, list[Row]] = {}
        ids = self._prompt_ids({r.messages for r in requests})
        for i, r in enumerate(requests):
            self._adapters.writer(r.adapter)
            prefix = tuple(self.tokens.text_ids(r.prefix))
            prompt = (*ids[r.messages], *prefix)
            room = self.context - len(prompt)
            if room < 1:
                raise ValueError(
                    f"a prompt of {len(prompt)} tokens leaves no room to answer: the model's context is"
                    f" {self.context} tokens"
                )
            limit = min(r.sampling.max_new_tokens, room)
            rows.setdefault(r.adapter, []).extend(
                Row((i, k), prompt, seed, r.sampling, limit, prefix) for k, seed in enumerate(r.seeds)
            )
        out: list[list[Completion]] = [[Completion("")] * r.n for r in requests]

        def so_far() -> list[list[str]]:
            texts = [[""] * r.n for r in requests]
            for row in (row for group in rows.values() for row in group):
                text = row.result.text if row.result else self.tokens.decode(row.ids, row.after)
                texts[row.slot[0]][row.slot[1]] = text
            return texts

        def between() -> None:
            self.between()
            if watch is not None:
                watch(so_far)

        with self._lock:
            for adapter, group in rows.items():
                with self._adapters.active(adapter) as model:
                    decoder = Decoder(
                        model,
                        self.tokens,
                        max_tokens=self.max_batch_tokens,
                        max_rows=self.max_rows,
                        between=between,
                    )
                    decoder.run(group)
                for row in group:
                    assert row.result is not None
                    out[row.slot[0]][row.slot[1]] = row.result
        return out

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoredText]:
        """Log-prob of every token of ``completion``; the end token is not part of it.

        Raises:
            ValueError: prompt and completion together are longer than the model's context.
        """
        from workers.engines.scoring import Text, score_texts

        ids = self._prompt_ids({r.messages for r in requests})
        groups: dict[str | None, list[Text]] = {}
        for i, r in enumerate(requests):
            context = (*ids[r.messages], *self.tokens.text_ids(r.prefix))
            completion = tuple(self.tokens.text_ids(r.completion))
            self._refuse_longer(len(context), len(completion))
            groups.setdefault(r.adapter, []).append(Text(i, context, completion))
        out = [ScoredText((), ())] * len(requests)
        with self._lock:
            for adapter, texts in groups.items():
                with self._adapters.active(adapter) as model:
                    for text, logprobs in score_texts(
                        model, texts, self.tokens.pad_id, self.max_batch_tokens
                    ):
                        out[text.index] = ScoredText(text.completion, logprobs)
                        self.between()
        return out

    def reward(self, requests: Sequence[RewardRequest]) -> list[tuple[float, ...]]:
        """What scorers say, read where they were trained: at the token that completes each step, or for the
        whole at the end of the turn.

        Raises:
            ValueError: longer than the model's context, or an end outside the completion.
            LookupError: an adapter that is not loaded, or that is no scorer.
        """
        from workers.engines.scoring import Text, reward_texts

        ids = self._prompt_ids({r.messages for r in requests})
        groups: dict[str, list[Text]] = {}
        for i, r in enumerate(requests):
            context, completion = ids[r.messages], tuple(self.tokens.text_ids(r.completion))
            if r.ends:
                places = self.tokens.end_places(completion, r.completion, r.ends)
            else:
                completion = (*completion, *self.tokens.turn_end_ids())
                places = [len(completion) - 1]
            reads = tuple(len(context) + place for place in places)
            self._refuse_longer(len(context), len(completion))
            groups.setdefault(r.adapter, []).append(Text(i, context, completion, reads))
        out: list[tuple[float, ...]] = [()] * len(requests)
        with self._lock:
            for adapter, texts in groups.items():
                head = self._adapters.head(adapter)
                with self._adapters.active(adapter) as model:
                    for text, chances in reward_texts(
                        model, head, texts, self.tokens.pad_id, self.max_batch_tokens
                    ):
                        out[text.index] = chances
                        self.between()
        return out

    def _refuse_longer(self, context: int, completion: int) -> None:
        if context + completion > self.context:
            raise ValueError(
                f"a prompt of {context} tokens and a completion of {completion} are longer"
                f" together than the model's context of {self.context} tokens"
            )

    def token_spans(
        self, token_ids: Sequence[int], spans: Sequence[tuple[int, int]], text: str | None = None
    ) -> list[tuple[int, int]]:
        """Token spans covering character spans of the generated text: see `ChatTokens.token_spans`."""
        return self.tokens.token_spans(token_ids, spans, text)

    def _prompt_ids(
        self, prompts: Iterable[tuple[Message, ...]]
    ) -> dict[tuple[Message, ...], tuple[int, ...]]:
        return {messages: tuple(self.tokens.prompt_ids(messages)) for messages in prompts}
