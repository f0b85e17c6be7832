"""Adapters as zip files: written piece by piece, read with distrust."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from io import RawIOBase
from pathlib import Path, PurePosixPath
from typing import Any

PIECE = 1 << 20
# What a folder or archive with an adapter may hold. Pickles are code; they are refused, not skipped.
ALLOWED = (".safetensors", ".json", ".md", ".txt", ".jinja")
CONFIG, WEIGHTS, MANIFEST = "adapter_config.json", "adapter_model.safetensors", "manifest.json"
KEPT = (CONFIG, WEIGHTS, MANIFEST)

# What `zipfile` raises over damaged files, found by damaging some; a full disk is an OSError as well.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, IndexError, NotImplementedError, OSError,
    OverflowError, RuntimeError, UnicodeDecodeError, struct.error,
)  # fmt: skip


class ArchiveError(ValueError):
    """An archive that is not taken; the message says why."""


class _Sink(RawIOBase):
    """Where `zipfile` writes to: it cannot seek, so nothing needs to be kept."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data, self.pieces = b"".join(self.pieces), []
        return data


def zip_stream(entries: Iterable[tuple[str, Path | bytes]]) -> Iterator[bytes]:
    """A zip file of (name, file or content), in constant memory. The same entries give the same bytes.

    Stored, not compressed: weights do not get smaller.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name)  # dated 1980-01-01, as zip files begin
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with archive.open(info, "w", force_zip64=True) as target:
                for piece in [content] if isinstance(content, bytes) else _pieces(content):
                    target.write(piece)
                    yield sink.take()
    yield sink.take()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def unzip_adapter(archive: Path, into: Path, limit: int) -> None:
    """Take the adapter's files out of ``archive``: no other name, no path, at most ``limit`` bytes in all.

    They may lie together in a folder. What else an adapter's folder usually holds is left out.

    Raises:
        ArchiveError: not a zip file, too large, a file that may hold code, a link, a path out of the archive.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for info, name in _wanted(opened.infolist()):
                with opened.open(info) as source, (into / name).open("xb") as target:
                    while piece := source.read(PIECE):
                        limit -= len(piece)  # what comes out counts, whatever the archive says of itself
                        if limit < 0:
                            raise ArchiveError("its files are larger than an upload may be")
                        target.write(piece)
    except DAMAGED as error:
        raise ArchiveError(f"it cannot be unpacked: {error}") from error


def _wanted(infos: Iterable[zipfile.ZipInfo]) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    folders: dict[str, str] = {}
    for info in infos:
        path = PurePosixPath(info.filename)
        if info.is_dir() or path.parts[:1] == ("__MACOSX",) or path.name == ".DS_Store":
            continue
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename:
            raise ArchiveError(f"{info.filename!r} leads out of the archive")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise ArchiveError(f"{info.filename!r} is a link or device")
        refuse_code(path.name)
        if path.name not in KEPT:
            continue
        if folders.setdefault(path.name, str(path.parent)) != str(path.parent) or any(
            folder != str(path.parent) for folder in folders.values()
        ):
            raise ArchiveError("it holds more than one adapter; send them one by one")
        yield info, path.name


def refuse_code(name: str) -> None:
    """Raises ArchiveError for a file of a kind that may hold code."""
    if not name.endswith(ALLOWED):
        raise ArchiveError(f"it holds {name}; only {', '.join(ALLOWED)} are taken, others can carry code")
