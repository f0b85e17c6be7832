"""The seed model's tokenizer: whole words of its domain, digits one by one, bytes for the rest.

A byte-level vocabulary without merges: a piece that is in the vocabulary is one token, anything else
falls to its bytes, so every text can be encoded and comes back exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, BOS, END, USER, ASSISTANT, SYSTEM = (
    "<|pad|>",
    "<|bos|>",
    "<|end|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
)
SPECIAL = (PAD, BOS, END, USER, ASSISTANT, SYSTEM)
# A piece: a word, one digit, or one other character, each with at most one space in front.
PIECE = r" ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]|\s"
CONTEXT = 1024

# TRL reads the generation marks: only the assistant's words and its end token are trained on.
CHAT_TEMPLATE = (
    "{{- bos_token -}}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "{{- '<|assistant|>' -}}{%- generation -%}{{- message['content'] + '<|end|>' -}}{%- endgeneration -%}"
    "{%- else -%}"
    "{{- '<|' + message['role'] + '|>' + message['content'] -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def build(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer whose whole-piece vocabulary is every piece that occurs in ``texts``."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Split(Regex(PIECE), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    pieces = pre_tokenizers.Sequence([split, to_bytes])
    found = {piece for text in texts for piece, _ in pieces.pre_tokenize_str(text)}
    vocabulary = [
        *SPECIAL,
        *sorted(pre_tokenizers.ByteLevel.alphabet()),
        *sorted(p for p in found if len(p) > 1),
    ]
    tokens = {token: i for i, token in enumerate(dict.fromkeys(vocabulary))}
    inner = Tokenizer(models.BPE(vocab=tokens, merges=[], ignore_merges=True))
    inner.pre_tokenizer = pieces
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT, SYSTEM],
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
