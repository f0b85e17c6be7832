"""Zip files with adapters: out in constant memory and the same every time, in with distrust."""

import io
import tracemalloc
import zipfile
from contextlib import suppress

import pytest

from webapp.registry.archive import ArchiveError, unzip_adapter, zip_stream


def zipped(entries, **attributes):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            for key, value in attributes.items():
                setattr(info, key, value)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


@pytest.fixture
def taken(tmp_path):
    """What `unzip_adapter` takes out of the bytes of a zip file."""
    into = tmp_path / "into"
    into.mkdir()

    def take(content, limit=1000):
        (tmp_path / "a.zip").write_bytes(content)
        unzip_adapter(tmp_path / "a.zip", into, limit)
        return {p.name: p.read_bytes() for p in into.iterdir()}

    return take


def test_a_stream_is_a_zip_file_and_the_same_every_time(tmp_path):
    (tmp_path / "w").write_bytes(b"x" * 3_000_000)
    entries = [("w.safetensors", tmp_path / "w"), ("README.md", b"card")]
    made = b"".join(zip_stream(entries))
    assert made == b"".join(zip_stream(entries))
    with zipfile.ZipFile(io.BytesIO(made)) as read:
        assert read.testzip() is None
        assert read.read("w.safetensors") == b"x" * 3_000_000
        assert read.read("README.md") == b"card"


def test_a_large_file_is_never_in_memory_whole(tmp_path):
    with (tmp_path / "w").open("wb") as file:
        file.truncate(200 << 20)
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in zip_stream([("w", tmp_path / "w")]))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert size > 200 << 20


@pytest.mark.parametrize("folder", ["", "adapter/", "a/b/"])
def test_the_adapters_files_are_taken_from_where_they_lie_and_nothing_else(taken, folder):
    content = zipped(
        {
            f"{folder}adapter_config.json": "{}",
            f"{folder}adapter_model.safetensors": "w",
            f"{folder}README.md": "card",
            f"{folder}tokenizer.json": "{}",
            "__MACOSX/._x": "",
        }
    )
    assert taken(content) == {"adapter_config.json": b"{}", "adapter_model.safetensors": b"w"}


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"../adapter_config.json": ""}, "leads out of the archive"),
        ({"/etc/adapter_config.json": ""}, "leads out of the archive"),
        ({"a\\..\\adapter_config.json": ""}, "leads out of the archive"),
        ({"C:/adapter_config.json": ""}, "leads out of the archive"),
        ({"adapter_model.bin": ""}, "adapter_model.bin"),
        ({"x/training_args.bin": ""}, "training_args.bin"),
        ({"run.py": ""}, "run.py"),
        ({"a/adapter_config.json": "", "b/adapter_config.json": ""}, "more than one adapter"),
        ({"a/adapter_config.json": "", "b/adapter_model.safetensors": ""}, "more than one adapter"),
        ({"adapter_model.safetensors": "\0" * 1001}, "larger than an upload may be"),  # small while packed
    ],
)
def test_what_is_not_taken(taken, entries, says):
    with pytest.raises(ArchiveError, match=says):
        taken(zipped(entries))


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_whatever_is_damaged_is_refused_in_words(taken, tmp_path, method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("adapter_config.json", "{}" * 50)
    for place in range(len(buffer.getvalue())):
        content = bytearray(buffer.getvalue())
        content[place] ^= 0xFF
        for path in (tmp_path / "into").iterdir():
            path.unlink()
        with suppress(ArchiveError):
            taken(bytes(content))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused(taken):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("adapter_config.json", "1")
        archive.writestr("adapter_config.json", "2")
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        taken(buffer.getvalue())


def test_a_link_is_refused(taken):
    with pytest.raises(ArchiveError, match="link or device"):
        taken(zipped({"adapter_config.json": "/etc/passwd"}, external_attr=0o120777 << 16))


@pytest.mark.parametrize("content", [b"", b"PK no", zipped({"adapter_config.json": "{}" * 99})[:-40]])
def test_what_is_no_zip_file_is_said_to_be_none(taken, content):
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        taken(content)
