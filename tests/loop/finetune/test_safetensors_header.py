"""Headers of safetensors files: shapes as written, and one kind of error for everything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.finetune.safetensors_header import HeaderError, tensors
from tests.adapters import LORA, weights


def test_shapes_as_written(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(weights(LORA))
    assert tensors(path) == LORA


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "was cut off"),
        (b"\x80\x04\x95pickle", "was cut off"),
        (weights(LORA)[:-1], "does not fit the file"),
        ((2).to_bytes(8, "little") + b"[]", "its header is no table"),
        ((2).to_bytes(8, "little") + b"{]", "its header is no JSON"),
        ((10**9).to_bytes(8, "little") + b"{}", "was cut off"),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path, content, says):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(HeaderError, match=says):
        tensors(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda c: st.lists(c) | st.dictionaries(st.text(), c),
)


@given(st.binary(max_size=64) | json_values.map(lambda v: json.dumps(v).encode()), st.booleans())
def test_anything_else_is_a_header_error(tmp_path_factory, content, framed):
    path = tmp_path_factory.getbasetemp() / "fuzz.safetensors"
    path.write_bytes(len(content).to_bytes(8, "little") + content if framed else content)
    try:
        found = tensors(path)
    except HeaderError:
        return
    assert all(isinstance(shape, tuple) for shape in found.values())
