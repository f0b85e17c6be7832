"""The decoding loop: many prompts, n samples each, one padded batch that refills itself.

Own loop rather than ``model.generate``: rows must draw by their own seed, leave when they finish and
make room for the next prompts (a static batch runs on until its longest row ends), and n samples must
share one prefill. ``generate_batch`` (continuous batching of transformers) has no per-row seeds, which
would break "the same seed gives the same text", and costs seconds of start-up on a CPU; so the same
loop also serves CUDA, in bfloat16.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import torch

from loop.model import Completion
from loop.records import Sampling
from workers.engines.lanes import Lanes
from workers.engines.memory import is_out_of_memory, release
from workers.engines.sampler import Rules, choose, uniforms
from workers.engines.tokens import PART, ChatTokens

log = logging.getLogger(__name__)

PREFILL_TOKENS = 16_384  # prompt tokens computed at once: bounds the activations of one prefill
REPACK_BELOW = 0.8  # re-pack once fewer than this share of the batch's rows are alive


@dataclass(eq=False)
class Row:
    """One continuation being written. ``slot`` says where its result belongs."""

    slot: tuple[int, int]
    prompt: tuple[int, ...]  # ids, prefix included
    seed: int
    sampling: Sampling
    limit: int  # most new tokens, context length considered
    after: tuple[int, ...] = ()  # ids of the prefix: the text continues theirs
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    result: Completion | None = None

    @property
    def cost(self) -> int:
        return len(self.prompt) + self.limit

    @property
    def length(self) -> int:
        """Tokens in the cache: all but the newest, which has not been fed yet."""
        return len(self.prompt) + len(self.ids) - 1


class Decoder:
    """Runs rows to their end on one model, with at most ``max_tokens`` cache cells and ``max_rows`` rows.

    ``between`` is called between decoding steps. It may run other rows on the same model, or stop the
    batch by raising.
    """

    def __init__(
        self,
        model: Any,
        tokens: ChatTokens,
        *,
        max_tokens: int,
        max_rows: int,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self.model, self.tokens, self.between = model, tokens, between
        self.max_tokens, self.max_rows = max_tokens, max_rows
        self.layers = int(model.config.get_text_config(decoder=True).num_hidden_layers)

    def run(self, rows: Sequence[Row]) -> None:
        """Fill in every row's ``result``. A batch that does not fit in memory is halved and run again.

        Raises:
            MemoryError: not even one row fits.
        """
        # Longest first: what does not fit shows at once, and similar lengths share a batch.
        todo = sorted(rows, key=lambda r: (-len(r.prompt), r.prompt, r.slot))
        while todo:
            batch = _Batch(self, todo)
            try:
                batch.run()
                return
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if batch.peak <= 1:
                    longest = max(r.cost for r in todo)
                    raise MemoryError(
                        f"one sample of {longest} tokens does not fit in memory; lower max_new_tokens or use"
                        " a smaller model"
                    ) from error
                self.max_rows = max(1, batch.peak // 2)
            del batch
            release()
            log.warning("out of memory: continuing with at most %d samples at once", self.max_rows)
            todo = [r for r in todo if r.result is None]
            for row in todo:
                row.ids.clear()
                row.logprobs.clear()


class _Batch:
    """The running batch: row r of the cache belongs to ``rows[r]``."""

    def __init__(self, decoder: Decoder, todo: Sequence[Row]) -> None:
        self.decoder, self.tokens = decoder, decoder.tokens
        self.ends = decoder.tokens.end_ids
        self.device = decoder.model.device
        self.waiting = deque(todo)
        self.rows: list[Row] = []
        self.lanes = Lanes(decoder.layers)
        self.peak = 0  # most rows at once so far
        # One entry per row, set at every re-packing: newest token, its position, first column, settings.
        self.last = self.positions = self.starts = torch.empty(0, dtype=torch.int64)
        self.rules, self.seeds = self._rules([])

    def run(self) -> None:
        while self.waiting or self.rows:
            with torch.inference_mode():
                alive = sum(r.result is None for r in self.rows)
                if alive <= REPACK_BELOW * len(self.rows) or (not self.rows and self.waiting):
                    self._repack()
                if self.rows:
                    self._step()
            # Outside: an adapter loaded in inference mode could never be switched.
            self.decoder.between()

    def _step(self) -> None:
        logits = self._forward(self.last[:, None], self.lanes, self.starts, self.positions[:, None])
        self.positions += 1
        self.last = self._choose(logits, self.rows, self.rules, self.seeds)

    def _forward(
        self, ids: torch.Tensor, lanes: Lanes, starts: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        """Logits of the last column, [rows, vocabulary]. Row r's tokens begin at column ``starts[r]``."""
        columns = torch.arange(lanes.width + ids.shape[1], device=self.device)
        out = self.decoder.model(
            input_ids=ids,
            attention_mask=(columns[None, :] >= starts[:, None]).long(),
            position_ids=positions,
            past_key_values=lanes,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1]

    def _choose(
        self, logits: torch.Tensor, rows: Sequence[Row], rules: Rules, seeds: np.ndarray
    ) -> torch.Tensor:
        at = np.fromiter((len(r.ids) for r in rows), np.uint64, len(rows))
        u = torch.from_numpy(uniforms(seeds, at)).to(self.device)
        chosen, logprobs = choose(logits, rules, u)
        for row, token, logprob in zip(rows, chosen.tolist(), logprobs.tolist(), strict=True):
            if row.result is None:
                row.ids.append(token)
                row.logprobs.append(logprob)
                self._finish(row, token)
        return chosen

    # -- rows come and go

    def _repack(self) -> None:
        """Drop finished rows, admit waiting prompts into the room, prefill them, draw their first token."""
        keep = [i for i, r in enumerate(self.rows) if r.result is None]
        joining = self._admit([self.rows[i] for i in keep])
        self.peak = max(self.peak, len(keep) + len(joining))
        prompts = [list(same) for _, same in groupby(joining, key=lambda r: r.prompt)]
        counts = torch.tensor([len(same) for same in prompts], dtype=torch.int64, device=self.device)
        longest = max((self.rows[i].length for i in keep), default=0)
        index = torch.tensor(keep, dtype=torch.int64, device=self.device)
        last = [self.last[index]] if keep else []
        if joining:
            new, logits = self._prefill([same[0].prompt for same in prompts])
            rules, seeds = self._rules(joining)
            last.append(self._choose(logits.repeat_interleave(counts, 0), joining, rules, seeds))
            if keep:
                self.lanes.repack(index, self.lanes.width - longest, new, counts)
            else:
                self.lanes = new
                self.lanes.repack(torch.empty(0, dtype=torch.int64), 0, new, counts)
        elif keep:
            self.lanes.repack(index, self.lanes.width - longest, None, counts)
        self.rows = [self.rows[i] for i in keep] + joining
        if not self.rows:
            self.lanes = Lanes(self.decoder.layers)
            return
        self.last = torch.cat(last)
        self.rules, self.seeds = self._rules(self.rows)
        self.positions = torch.tensor([r.length for r in self.rows], device=self.device)
        self.starts = self.lanes.width - self.positions

    def _admit(self, staying: Sequence[Row]) -> list[Row]:
        widest, prompt_tokens, taken = max((r.cost for r in staying), default=0), 0, list[Row]()
        while self.waiting:
            row = self.waiting[0]
            widest = max(widest, row.cost)
            count = len(staying) + len(taken) + 1
            if not taken or row.prompt != taken[-1].prompt:
                prompt_tokens += len(row.prompt)
            too_many = count > self.decoder.max_rows or count * widest > self.decoder.max_tokens
            if (count > 1 and too_many) or (taken and prompt_tokens > PREFILL_TOKENS):
                break
            taken.append(self.waiting.popleft())
        return taken

    def _prefill(self, prompts: Sequence[tuple[int, ...]]) -> tuple[Lanes, torch.Tensor]:
        width = max(map(len, prompts))
        ids = torch.tensor([[self.tokens.pad_id] * (width - len(p)) + list(p) for p in prompts])
        starts = torch.tensor([width - len(p) for p in prompts], device=self.device)
        positions = (torch.arange(width, device=self.device)[None, :] - starts[:, None]).clamp(min=0)
        lanes = Lanes(self.decoder.layers)
        return lanes, self._forward(ids.to(self.device), lanes, starts, positions)

    def _rules(self, rows: Sequence[Row]) -> tuple[Rules, np.ndarray]:
        s = [r.sampling for r in rows]
        rules = Rules(
            temperature=torch.tensor([x.temperature for x in s], device=self.device),
            top_p=torch.tensor([x.top_p for x in s], device=self.device),
            top_k=torch.tensor([x.top_k for x in s], device=self.device),
            any_sampled=any(x.temperature > 0 for x in s),
            any_truncated=any(x.temperature > 0 and (x.top_k > 0 or x.top_p < 1) for x in s),
        )
        return rules, np.array([r.seed % 2**64 for r in rows], dtype=np.uint64)

    def _finish(self, row: Row, token: int) -> None:
        """Close the row if ``token`` ended the turn, completed a stop string or used up its room."""
        if token in self.ends:
            text = self.tokens.decode(row.ids[:-1], row.after)
            row.result = Completion(text, tuple(row.ids), tuple(row.logprobs), "stop")
            return
        if row.sampling.stop and self._may_stop(row.sampling.stop, token):
            text = self.tokens.decode(row.ids, row.after)
            found = [at for at in map(text.find, row.sampling.stop) if at >= 0]
            if found:
                text = text[: min(found)]
                n = self.tokens.trim(row.ids, text)
                row.result = Completion(text, tuple(row.ids[:n]), tuple(row.logprobs[:n]), "stop")
                return
        if len(row.ids) >= row.limit:
            text = self.tokens.decode(row.ids, row.after)
            row.result = Completion(text, tuple(row.ids), tuple(row.logprobs), "length")

    def _may_stop(self, stops: tuple[str, ...], token: int) -> bool:
        """Cheap test before decoding: only a token that holds a stop string's last character completes it."""
        piece = self.tokens.piece(token)
        return PART in piece or any(stop[-1] in piece for stop in stops if stop)
