"""Between chat messages, text and token ids: the one place where engines and trainers agree.

Whatever the model is trained on must be, id for id, what it is asked with later. So both sides get
prompts, prefixes and end tokens from `ChatTokens`, and text is never tokenised twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loop.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

# For models without a chat template. The generation prompt is the bare role line, like every template's.
PLAIN_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


PART = "\ufffd"  # what a piece of a character decodes to


class TemplateError(ValueError):
    """The model's chat template cannot be used; the message says why and what to do."""


class ChatTokens:
    """A tokenizer with its chat template, wrapped for exact work on token ids."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, extra_end_ids: Iterable[int] = ()) -> None:
        self.tokenizer = tokenizer
        if not tokenizer.chat_template:
            log.warning(
                "%s has no chat template: prompts are written as plain 'role: content' lines",
                tokenizer.name_or_path or "the model",
            )
            tokenizer.chat_template = PLAIN_TEMPLATE
        self._known_end_ids = {i for i in (*extra_end_ids, tokenizer.eos_token_id) if i is not None}
        self._pieces: dict[int, str] = {}

    # -- from text to ids

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Ids of the conversation up to and including the generation prompt.

        Raises:
            TemplateError: the template refuses the messages, or begins the text twice.
        """
        try:
            rendered = self._render(messages, add_generation_prompt=True, tokenize=True)
        except Exception as error:  # jinja raises what the template's author chose to raise
            roles = ", ".join(m.role for m in messages)
            raise TemplateError(f"the chat template refuses these messages ({roles}): {error}") from error
        ids = [int(i) for i in rendered]
        bos = self.tokenizer.bos_token_id
        if bos is not None and bos != self.tokenizer.eos_token_id and ids[:2] == [bos, bos]:
            raise TemplateError("the chat template and the tokenizer both add the begin token; remove one")
        if not ids:
            raise TemplateError("the chat template renders these messages to nothing")
        return ids

    def appends(self, messages: Sequence[Message], answer: str) -> bool:
        """Whether the template writes the answered conversation as the prompt and then something more."""
        answered = [*messages, Message("assistant", answer)]
        prompt = self._render(messages, add_generation_prompt=True, tokenize=False)
        return str(self._render(answered, add_generation_prompt=False, tokenize=False)).startswith(prompt)

    def text_ids(self, text: str) -> list[int]:
        """Ids of assistant text that continues something: no special tokens, no invented space."""
        if not text:
            return []
        if not self._adds_space:
            return self._encode(text)
        # SentencePiece-like tokenizers put a space before the first word; behind a newline they do not.
        anchor, anchored = self._encode("\n"), self._encode("\n" + text)
        if anchored[: len(anchor)] == anchor:
            return anchored[len(anchor) :]
        return self._encode(text)

    def turn_end_ids(self) -> list[int]:
        """What the template writes after an assistant's text, up to and including its end token.

        Raises:
            TemplateError: no end token follows, so a model trained on it would never learn to stop.
        """
        mark = "\u2402end\u2402"
        text = self._render(
            [Message("user", "q"), Message("assistant", mark)], add_generation_prompt=False, tokenize=False
        )
        _, found, tail = text.rpartition(mark)
        ids = self._encode(tail) if found else []
        for position, token in enumerate(ids):
            if token in self._known_end_ids:
                return ids[: position + 1]
        names = (
            ", ".join(self.tokenizer.convert_ids_to_tokens(sorted(self._known_end_ids))) or "there is none"
        )
        raise TemplateError(
            f"the chat template writes no end token ({names}) after the"
            " assistant's turn; a model trained on it would never stop. Use a template that ends the turn"
        )

    @cached_property
    def end_ids(self) -> frozenset[int]:
        """Token ids that close the assistant's turn: the model's end tokens and the template's."""
        try:
            return frozenset(self._known_end_ids | {self.turn_end_ids()[-1]})
        except TemplateError:
            return frozenset(self._known_end_ids)

    @property
    def pad_id(self) -> int:
        """An id for padding; padded positions are always masked, so its meaning does not matter."""
        if self.tokenizer.pad_token_id is not None:
            return int(self.tokenizer.pad_token_id)
        return min(self._known_end_ids, default=0)

    # -- from ids to text

    def decode(self, ids: Sequence[int], after: Sequence[int] = ()) -> str:
        """Text of ``ids`` without special tokens; ``after`` are the ids they continue."""
        if not after:
            return self._decode(ids)
        context = list(after[-8:])
        return self._decode([*context, *ids])[len(self._decode(context)) :]

    def piece(self, token: int) -> str:
        """What one token adds to a running text; "" for special tokens, U+FFFD for a part of a character."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self.decode([token], after=self._anchor)
        return known

    def token_spans(
        self, token_ids: Sequence[int], spans: Sequence[tuple[int, int]], text: str | None = None
    ) -> list[tuple[int, int]]:
        """Token spans [start, end) that cover character spans of the text that ``token_ids`` decode to.

        A token on a border (a newline merged with the next word) belongs to both of its neighbours.
        ``text`` is the stored text, when it may differ from the decoded ids by a leading space.
        """
        text = self._decode(token_ids) if text is None else text
        ends, continues = self._char_ends(token_ids, text)
        starts = [0, *ends[:-1]]
        out = []
        for start, end in spans:
            first = next((i for i, e in enumerate(ends) if e > start), len(ends))
            last = next(
                (i for i in range(len(ends) - 1, -1, -1) if starts[i] < end and ends[i] > starts[i]), -1
            )
            out.append((first, max(first, _whole_characters(continues, last + 1))))
        return out

    def end_places(self, token_ids: Sequence[int], text: str, ends: Sequence[int]) -> list[int]:
        """For each end of a step, in characters of ``text``: the place of the token that completes it.

        Raises:
            ValueError: an end that does not lie in the text.
        """
        if any(not 0 < end <= len(text) for end in ends):
            raise ValueError(f"the ends {list(ends)} do not all lie in a text of {len(text)} characters")
        return [last - 1 for _, last in self.token_spans(token_ids, [(e - 1, e) for e in ends], text)]

    def trim(self, token_ids: Sequence[int], text: str) -> int:
        """How many of ``token_ids`` are needed to write ``text``, a beginning of what they decode to."""
        if not text:
            return 0
        ends, continues = self._char_ends(token_ids, text)
        enough = next((i + 1 for i, e in enumerate(ends) if e >= len(text)), len(ends))
        return _whole_characters(continues, enough)

    def _char_ends(self, token_ids: Sequence[int], text: str) -> tuple[list[int], list[bool]]:
        """For each token: the length of the text once it is written; whether it continues a character.

        A character made of several tokens counts as written with the first of them.
        """
        ends, continues, i = list[int](), list[bool](), 0
        length = (
            -1 if token_ids and self.piece(token_ids[0]).startswith(" ") and not text.startswith(" ") else 0
        )
        while i < len(token_ids):
            chunk, j = self.piece(token_ids[i]), i + 1
            while PART in chunk and j < min(len(token_ids), i + 8):
                j += 1
                chunk = self.decode(token_ids[i:j], after=self._anchor)
            if PART in chunk:  # never completed: broken bytes, which count as they are shown
                chunk, j = self.piece(token_ids[i]), i + 1
            length += len(chunk)
            ends += [max(0, length)] * (j - i)
            continues += [False, *[True] * (j - i - 1)]
            i = j
        return ends, continues

    # -- the tokenizer itself

    def _render(self, messages: Sequence[Message], **options: Any) -> Any:
        chat = [{"role": m.role, "content": m.content} for m in messages]
        if options["tokenize"]:
            options["return_dict"] = False
        return self.tokenizer.apply_chat_template(chat, **options)

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _decode(self, ids: Sequence[int]) -> str:
        return str(
            self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    @cached_property
    def _adds_space(self) -> bool:
        first = self._encode("a")[:1]
        return bool(first) and str(self.tokenizer.convert_ids_to_tokens(first[0])).startswith("\u2581")

    @cached_property
    def _anchor(self) -> list[int]:
        return self._encode("a")[-1:]


def quieten() -> None:
    """No progress bars of transformers: workers log, they do not draw."""
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()


def generation_settings(folder: Path, config: Any) -> Any:
    """A model's own generation settings: of its file, or as transformers derives them where there is none."""
    from transformers import GenerationConfig

    if (folder / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(folder)
    return GenerationConfig.from_model_config(config)


def model_end_ids(model: Any) -> list[int]:
    """The end tokens that a model's own generation settings name."""
    ids = getattr(model.generation_config, "eos_token_id", None)
    return [i for i in (ids if isinstance(ids, list) else [ids]) if i is not None]


def _whole_characters(continues: Sequence[bool], end: int) -> int:
    """Move ``end`` behind the remaining tokens of a character that began before it."""
    while 0 < end < len(continues) and continues[end]:
        end += 1
    return end
