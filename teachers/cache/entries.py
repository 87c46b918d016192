"""Files of the cache: one format for shards and packs, checked as a whole.

A file is one line ``teacher-outputs VERSION SHA256``, one line of JSON that tells its key and arrays, and the arrays,
each from a multiple of 64 bytes on. The checksum covers everything after the first line.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

FORMAT = "teacher-outputs"
VERSION = 1
_ALIGNMENT = 64
_FIRST_LINE_BYTES = len(f"{FORMAT} {VERSION} ") + 64 + 1


class DamagedEntryError(Exception):
    """A file that must not be used: missing, torn, changed, of another version or of another key."""


@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    """One array of an entry.

    Args:
        dtype: Name of its type.
        shape: Its shape.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of the array."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, kw_only=True)
class Header:
    """The second line of an entry, and where its arrays begin.

    Args:
        digest: Of the entry's key.
        arrays: By name, in the order of the file.
        offsets: First byte of each array in the file.
        num_bytes: Of the whole file.
    """

    digest: str
    arrays: Mapping[str, ArraySpec]
    offsets: Mapping[str, int]
    num_bytes: int


def write_entry(
    path: Path, *, digest: str, arrays: Mapping[str, ArraySpec], blocks: Iterable[bytes | memoryview]
) -> None:
    """Write an entry so that it is there as a whole or not at all, whoever else writes it at the same time.

    Args:
        path: Where it goes.
        digest: Of its key.
        arrays: By name, in order.
        blocks: The bytes of the arrays one after the other, in pieces of any size.
    """
    line = json.dumps(
        {"key": digest, "arrays": [[name, spec.dtype, list(spec.shape)] for name, spec in arrays.items()]}
    ).encode()
    header = _header(digest, arrays, len(line))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(bytes(_FIRST_LINE_BYTES))
            checksum = hashlib.sha256()
            for block in _padded(line + b"\n", header, blocks):
                checksum.update(block)
                file.write(block)
            assert file.tell() == header.num_bytes, (
                f"blocks gave {file.tell()} bytes, the header says {header.num_bytes}"
            )
            file.seek(0)
            file.write(f"{FORMAT} {VERSION} {checksum.hexdigest()}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_bytes(path: Path, content: bytes, *, digest: str) -> None:
    """Write an entry that came from elsewhere as bytes, after checking them; atomic as ``write_entry``.

    Raises:
        DamagedEntryError: The bytes are not the whole entry of this key.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _check_key(_verified(temporary), digest)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def check_entry(path: Path, *, digest: str) -> Header:
    """Read a file through and check it; a file that this process has checked before is not read again.

    Raises:
        DamagedEntryError: It must not be used; the message says why.
    """
    return _check_key(_verified(path), digest)


def map_array(path: Path, header: Header, name: str) -> NDArray[np.generic]:
    """Map an array of a checked entry; nobody can write to it."""
    spec = header.arrays[name]
    if not spec.num_bytes:
        return np.zeros(spec.shape, spec.dtype)
    mapped = np.memmap(path, dtype=spec.dtype, mode="r", offset=header.offsets[name], shape=spec.shape)
    return np.asarray(mapped)  # Indexing a memmap costs three times what indexing a plain view of it costs.


def mark_used(path: Path) -> None:
    """Note the time of use; the time of change stays, since it tells whether the file was checked."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; a rename is not durable before."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT


def _header(digest: str, arrays: Mapping[str, ArraySpec], line_bytes: int) -> Header:
    position = _aligned(_FIRST_LINE_BYTES + line_bytes + 1)
    offsets = {}
    for name, spec in arrays.items():
        offsets[name] = position
        position = _aligned(position + spec.num_bytes)
    return Header(digest=digest, arrays=arrays, offsets=offsets, num_bytes=position)


def _padded(line: bytes, header: Header, blocks: Iterable[bytes | memoryview]) -> Iterable[bytes | memoryview]:
    """Put gaps between the line and the arrays; a block must not reach over the end of an array."""
    position = _FIRST_LINE_BYTES + len(line)
    yield line
    edges = [(header.offsets[name], header.offsets[name] + spec.num_bytes) for name, spec in header.arrays.items()]
    blocks = iter(blocks)
    for start, stop in edges:
        yield bytes(start - position)
        position = start
        while position < stop:
            block = next(blocks)
            position += len(block)
            yield block
    yield bytes(header.num_bytes - position)


def _verified(path: Path) -> Header:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DamagedEntryError("missing") from None
    return _read_through(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=65536)
def _read_through(path: Path, inode: int, size: int, mtime_ns: int) -> Header:
    del inode, mtime_ns  # With the path and the size they name what was read, so that it is read once a process.
    try:
        with path.open("rb") as file:
            first = file.readline(_FIRST_LINE_BYTES)
            _check_first_line(first)
            if hashlib.file_digest(file, "sha256").hexdigest().encode() != first.split()[2]:
                raise DamagedEntryError(f"the checksum does not match, {size} bytes; the file is torn or was changed")
            file.seek(len(first))
            return _read_header(file, size)
    except OSError as error:
        raise DamagedEntryError(f"cannot be read: {error}") from error


def _check_first_line(line: bytes) -> None:
    words = line.split()
    if len(words) >= 2 and words[0] == FORMAT.encode() and words[1].isdigit() and int(words[1]) != VERSION:
        raise DamagedEntryError(f"has version {int(words[1])} of the format, this program reads version {VERSION}")
    if len(line) < _FIRST_LINE_BYTES or len(words) != 3 or words[:2] != [FORMAT.encode(), str(VERSION).encode()]:
        raise DamagedEntryError("does not begin as a file of the cache; it is torn or was changed")


def _read_header(file: BinaryIO, size: int) -> Header:
    line = file.readline()
    record = json.loads(line)  # The checksum matches, so that this is what was written.
    arrays = {name: ArraySpec(dtype=dtype, shape=tuple(shape)) for name, dtype, shape in record["arrays"]}
    header = _header(record["key"], arrays, len(line) - 1)
    assert header.num_bytes == size, f"a file with a right checksum has {size} bytes, expected {header.num_bytes}"
    return header


def _check_key(header: Header, digest: str) -> Header:
    if header.digest != digest:
        raise DamagedEntryError(f"holds another key, {header.digest[:12]}, expected {digest[:12]}")
    return header
