"""Prompt files: what is read, and which line is blamed for what cannot be."""

import csv
import io
import json
import os
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.prompts.readers import FieldMap, PromptFileError, read_prompts, read_stream, with_duplicates

QA = FieldMap(prompt="question", reference="answer")


def read(text: str | bytes, fields: FieldMap = QA, format_: str = "jsonl"):
    raw = text.encode() if isinstance(text, str) else text
    return list(read_stream(io.BytesIO(raw), fields, format=format_))


def blamed(text: str | bytes, fields: FieldMap = QA, format_: str = "jsonl") -> tuple[int, str]:
    with pytest.raises(PromptFileError) as caught:
        read(text, fields, format_)
    return caught.value.line, caught.value.why


# --------------------------------------------------------------------------------------------- JSONL
def test_jsonl_rows():
    rows = read('{"question": " How many? ", "answer": 18, "level": 2}\n\n{"question": "b", "answer": null}')
    assert [(r.line, r.text, r.reference) for r in rows] == [(1, "How many?", "18"), (3, "b", None)]
    assert rows[0].messages[0].role == "user"


def test_bom_crlf_and_unicode_line_separators_inside_strings():
    text = '{"question": "a\u2028b\u2029c\x85d", "answer": "1"}\r\n{"question": "e", "answer": "2"}\r\n'
    raw = b"\xef\xbb\xbf" + text.encode()
    assert [(r.line, r.text) for r in read(raw)] == [(1, "a\u2028b\u2029c\x85d"), (2, "e")]


GSM = FieldMap(prompt="question", reference="answer", reference_pattern=r"#### (.+)$")


def test_the_reference_pattern_takes_the_last_match():
    (row,) = read(json.dumps({"question": "q", "answer": "5 - 2 = 3\n#### 9\nno:\n#### 1,080"}), GSM)
    assert row.reference == "1,080"


def test_a_reference_without_the_pattern_is_an_error():
    assert blamed('{"question": "q", "answer": "#### 1"}\n{"question": "q", "answer": "1"}', GSM)[0] == 2


def test_chat_messages_system_and_meta():
    fields = FieldMap(prompt="chat", system="role", meta=("level",))
    chat = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    (row,) = read(json.dumps({"chat": chat, "role": "Be brief.", "level": [1]}), fields)
    assert [(m.role, m.content) for m in row.messages] == [
        ("system", "Be brief."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
    ]
    assert (row.text, row.meta, row.reference) == ("c", {"level": [1]}, None)
    (other,) = read(json.dumps({"chat": "c", "role": "Be brief.", "level": 1}), fields)
    assert other.family != row.family  # the earlier turns belong to the prompt


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("[1]", "found a list"),
        ("null", "found nothing"),
        ('{"answer": "1"}', "no field 'question'; there are: 'answer'"),
        ('{"question": "q"}', "no field 'answer'"),
        ('{"question": "", "answer": "1"}', "is empty"),
        ('{"question": 5, "answer": "1"}', "text or a list of messages"),
        ('{"question": [], "answer": "1"}', "text or a list of messages"),
        ('{"question": [{"role": "boss", "content": "x"}], "answer": "1"}', "needs a role"),
        (
            '{"question": [{"role": "assistant", "content": "x"}], "answer": "1"}',
            "last message must be the user's",
        ),
        ('{"question": "q", "answer": {}}', "text or a number"),
        ('{"question": "q", "answer": true}', "text or a number"),
        ('{"question": "a\\u0000b", "answer": "1"}', "NUL"),
        ('{"question": "a\\ud800b", "answer": "1"}', "half a character"),
        ("[" * 100_000, "nested too deeply"),
        (b'{"question": "\xff"}', "not UTF-8 text (byte 15)"),
    ],
)
def test_the_line_and_the_reason_are_named(line, says):
    raw = line.encode() if isinstance(line, str) else line
    number, why = blamed(b'{"question": "fine", "answer": "1"}\n' + raw)
    assert number == 2
    assert says in why


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1), max_size=8
    )
)
def test_any_text_written_as_jsonl_is_read_back(texts):
    texts = [t for t in texts if t.strip()]
    raw = "\n".join(json.dumps({"question": t, "answer": "1"}, ensure_ascii=False) for t in texts)
    assert [r.text for r in read(raw)] == [t.strip() for t in texts]


@given(st.binary(max_size=80), st.sampled_from(["jsonl", "csv"]))
def test_no_bytes_make_the_reader_fail_otherwise(raw, format_):
    with suppress(PromptFileError):
        read(raw, QA, format_)


# ----------------------------------------------------------------------------------------------- CSV
def test_csv_rows_with_quotes_line_breaks_and_bom():
    raw = '\ufeffquestion,answer\r\n"a, ""b""\nc",1\r\n\r\nd,2\r\n'
    assert [(r.line, r.text, r.reference) for r in read(raw, QA, "csv")] == [
        (2, 'a, "b"\nc', "1"),
        (5, "d", "2"),
    ]


@pytest.mark.parametrize(
    ("raw", "line", "says"),
    [
        ("", 0, "empty"),
        ("question,question\n", 1, "more than once"),
        ("question,answer\na,1\nb\n", 3, "1 cells, but the header names 2"),
        ('question,answer\n"a\nb",1\nc,2,3\n', 4, "3 cells"),
        ("text,answer\na,1\n", 2, "no field 'question'"),
        ('question,answer\n"a"b,1\n', 2, "not CSV"),
        ('question,answer\n"a,1\n', 2, "not CSV"),
        (b"question,answer\na,1\n\xff,2\n", 1, "not UTF-8"),
    ],
)
def test_csv_errors_name_the_line(raw, line, says):
    number, why = blamed(raw, QA, "csv")
    assert says in why
    assert number == line


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1), max_size=8
    )
)
def test_any_text_written_as_csv_is_read_back(texts):
    texts = [t for t in texts if t.strip()]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("question", "answer"), *((t, "1") for t in texts)])
    assert [r.text for r in read(out.getvalue(), QA, "csv")] == [t.strip() for t in texts]


# ------------------------------------------------------------------------------------------ files, rest
def test_files_are_read_by_their_ending(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("question,answer\nq,1\n", encoding="utf-8")
    assert [r.text for r in read_prompts(path, QA)] == ["q"]
    with pytest.raises(PromptFileError, match=r"b\.jsonl cannot be read"):
        list(read_prompts(tmp_path / "b.jsonl", QA))
    with pytest.raises(PromptFileError, match=r"expected a \.jsonl or \.csv file, got 'xls'"):
        list(read_prompts(path, QA, format="xls"))


def test_a_pattern_that_is_no_pattern():
    assert blamed("{}", FieldMap(reference_pattern="("))[0] == 0


def test_duplicates_name_the_first_line():
    rows = read(
        '{"question": "A b?", "answer": 1}\n{"question": "c", "answer": 1}\n{"question": "a  b", "answer": 2}'
    )
    assert [earlier for _, earlier in with_duplicates(rows)] == [None, None, 1]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "big.jsonl"
    line = json.dumps({"question": "x" * 500, "answer": "1"}) + "\n"
    path.write_text(line * 20_000, encoding="utf-8")  # 10 MB
    tracemalloc.start()
    assert sum(1 for _ in read_prompts(path, QA)) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


DATA = Path(os.environ.get("WHETSTONE_DATA") or Path(__file__).parents[4] / "shared" / "data")
GSM8K = DATA / "gsm8k" / "test.jsonl"


@pytest.mark.data
@pytest.mark.skipif(not GSM8K.is_file(), reason="public data not found")
def test_real_questions_are_read():
    rows = list(read_prompts(GSM8K, GSM))
    assert len(rows) == len(GSM8K.read_bytes().splitlines())
    assert all(r.reference and r.reference.replace(",", "").lstrip("-").isdigit() for r in rows)
    assert len({r.family for r in rows}) == len(rows)
