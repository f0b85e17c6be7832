"""Chat messages, text and token ids."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from loop.records import Message
from tests.workers.tiny import make_model
from workers.engines.tokens import ChatTokens, TemplateError

pytestmark = pytest.mark.xdist_group("torch")


def chat_tokens(folder: Path) -> ChatTokens:
    from transformers import AutoTokenizer

    return ChatTokens(AutoTokenizer.from_pretrained(folder))


@pytest.fixture(scope="module", params=["byte-level", "metaspace"])
def tokens(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ChatTokens:
    folder = tmp_path_factory.mktemp(request.param)
    return chat_tokens(make_model(folder, "llama", byte_level=request.param == "byte-level"))


def test_the_prompt_is_the_template_rendered_once(tokens: ChatTokens) -> None:
    ids = tokens.prompt_ids((Message("user", "3 + 4"),))
    assert tokens.tokenizer.decode(ids, skip_special_tokens=False).count("<|im_start|>") == 2
    assert tokens.tokenizer.convert_tokens_to_ids("<|im_start|>") == ids[0]


def test_text_survives_the_way_there_and_back(tokens: ChatTokens) -> None:
    before = tokens.text_ids("The answer")
    for text in ["", " is 7.", "7", "\n\n3 + 4", "é", " 世界 🙂", "  two spaces"]:
        ids = tokens.text_ids(text)
        assert tokens.decode(ids, after=before) == text


def test_step_spans_become_token_spans(tokens: ChatTokens) -> None:
    text = "3 + 4 = 7\nÉtape 🙂 two\nThe answer is 7."
    ids = [*tokens.text_ids(text), tokens.turn_end_ids()[0]]
    spans = [(0, 9), (10, text.index("\nThe")), (text.index("The"), len(text))]
    found = tokens.token_spans(ids, spans)
    for (start, end), (first, last) in zip(spans, found, strict=True):
        assert text[start:end] in tokens.decode(ids[first:last], after=ids[max(0, first - 1) : first] or [])
    assert found == sorted(found)
    assert found[-1][1] == len(ids) - 1  # the end token belongs to no step
    assert tokens.token_spans(ids, [(0, 0)]) == [(0, 0)]


def test_a_turn_ends_with_the_end_token(tokens: ChatTokens) -> None:
    end = tokens.turn_end_ids()
    assert end == [tokens.tokenizer.eos_token_id]
    assert end[-1] in tokens.end_ids


def test_a_template_without_an_end_is_refused(tmp_path: Path) -> None:
    endless = chat_tokens(
        make_model(tmp_path, "llama", template="{% for m in messages %}{{ m.content }}{% endfor %}")
    )
    with pytest.raises(TemplateError, match="writes no end token"):
        endless.turn_end_ids()


def test_a_doubled_begin_token_is_refused(tmp_path: Path) -> None:
    template = "<|endoftext|><|endoftext|>{% for m in messages %}{{ m.content }}{% endfor %}"
    doubled = chat_tokens(make_model(tmp_path, "llama", template=template))
    doubled.tokenizer.bos_token = "<|endoftext|>"
    with pytest.raises(TemplateError, match="begin token"):
        doubled.prompt_ids((Message("user", "x"),))


def test_a_template_that_refuses_a_role_says_so(tmp_path: Path) -> None:
    template = "{{ raise_exception('System role not supported') }}"
    strict = chat_tokens(make_model(tmp_path, "llama", template=template))
    with pytest.raises(TemplateError, match=r"\(system, user\).*not supported"):
        strict.prompt_ids((Message("system", "x"), Message("user", "y")))


def test_without_a_template_plain_roles_are_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_model(tmp_path, "llama")
    (tmp_path / "chat_template.jinja").unlink()
    with caplog.at_level(logging.WARNING):
        plain = chat_tokens(tmp_path)
    assert "no chat template" in caplog.text
    ids = plain.prompt_ids((Message("user", "3 + 4"),))
    assert plain.decode(ids) == "user: 3 + 4\nassistant: "
    assert plain.turn_end_ids() == [plain.tokenizer.eos_token_id]
