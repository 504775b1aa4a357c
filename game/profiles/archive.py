"""The archive inside an envelope or an age file: a plain tar (POSIX ustar) that any tar unpacks, read strictly.

Reading accepts exactly what writing makes, byte for byte, so there is nothing to parse that a stranger could bend:
regular files, bare names, no owners, no times. Members are views of the buffer; nothing is copied.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from game.profiles.errors import ContentError
from game.profiles.keys import Bytes

BLOCK = tarfile.BLOCKSIZE
RECORD = tarfile.RECORDSIZE
MOST_MEMBERS = 32
_NAME = re.compile(r"[a-z_]{1,60}\.(json|npy)")
_NPY_HEADER = 128


def write_archive(members: Mapping[str, Bytes | NDArray]) -> bytearray:
    """A tar of `members` in their order; arrays become .npy files, little-endian, row by row.

    Padded to whole records: sizes of bodies tell little of their owners. No copy of an array is left in memory.
    """
    parts = {name: _parts(content) for name, content in members.items()}
    sizes = {name: sum(map(len, pieces)) for name, pieces in parts.items()}
    size = sum(BLOCK + size + -size % BLOCK for size in sizes.values()) + 2 * BLOCK
    archive = bytearray(size + -size % RECORD)
    # A slice of a bytearray would be assigned by way of a copy, which stays in freed memory.
    target = memoryview(archive)
    position = 0
    for name, pieces in parts.items():
        begin = position + BLOCK
        target[position:begin] = _member_header(name, sizes[name])
        position = begin + sizes[name] + -sizes[name] % BLOCK
        for piece in pieces:
            target[begin : begin + len(piece)] = piece
            begin += len(piece)
    return archive


def read_archive(archive: Bytes, name: str) -> dict[str, memoryview]:
    """The members of an archive. Raises `ContentError` for what `write_archive` does not make."""
    view = memoryview(archive)
    members: dict[str, memoryview] = {}
    position = 0
    while position + BLOCK <= len(view) and any(header := bytes(view[position : position + BLOCK])):
        member, size = _parse_member_header(header, name)
        begin, end = position + BLOCK, position + BLOCK + size
        position = end + -size % BLOCK
        if member in members or len(members) == MOST_MEMBERS or position > len(view) or any(view[end:position]):
            raise ContentError(f"{name}: its archive is not as Cheval writes it; export it again")
        members[member] = view[begin:end]
    if len(view) - position < 2 * BLOCK or len(view) % RECORD or np.frombuffer(view[position:], np.uint8).any():
        raise ContentError(f"{name}: its archive does not end as it should; export it again")
    return members


def from_npy(member: memoryview, dtype: type, shape: tuple[int, ...], name: str) -> NDArray:
    """The array of an .npy file that must have this type and shape: a read-only view. Raises `ContentError`."""
    header = _npy_header(np.dtype(dtype), shape)
    count = int(np.prod(shape, dtype=object))
    if len(member) != len(header) + count * np.dtype(dtype).itemsize or member[: len(header)] != header:
        raise ContentError(f"{name} is no array {np.dtype(dtype).name}{list(shape)}; export it again")
    array = np.frombuffer(member, dtype, count, len(header)).reshape(shape)
    array.flags.writeable = False
    return array


def _parts(content: Bytes | NDArray) -> tuple[Bytes, ...]:
    if not isinstance(content, np.ndarray):
        return (content,)
    array = np.ascontiguousarray(content, content.dtype.newbyteorder("<"))
    return _npy_header(array.dtype, array.shape), array.reshape(-1).view(np.uint8).data


def _npy_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """NPY 1.0, always 128 bytes: compared, never parsed."""
    text = f"{{'descr': '{dtype.newbyteorder('<').str}', 'fortran_order': False, 'shape': {tuple(map(int, shape))}, }}"
    return (
        b"\x93NUMPY\x01\x00" + (_NPY_HEADER - 10).to_bytes(2, "little") + text.ljust(_NPY_HEADER - 11).encode() + b"\n"
    )


def _member_header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o600
    return info.tobuf(tarfile.USTAR_FORMAT)


def _parse_member_header(header: bytes, name: str) -> tuple[str, int]:
    try:
        member = header[:100].rstrip(b"\0").decode("ascii")
        size = int(header[124:135], 8)
    except ValueError as error:
        raise ContentError(f"{name}: its archive is damaged; export it again") from error
    if not _NAME.fullmatch(member) or not 0 <= size < 1 << 32 or _member_header(member, size) != header:
        raise ContentError(f"{name}: its archive is not as Cheval writes it; export it again")
    return member, size
