"""STREAM (Hoang, Reyhanitabar, Rogaway, Vizar 2015) as age v1 has it: 64 KiB chunks of ChaCha20-Poly1305.

Chunk i has the nonce (i as 11 bytes, big-endian; 1 if it is the last, else 0), so chunks cannot be swapped, dropped or
added. Each key seals one stream only.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from game.profiles.errors import ChunkCorruptError, TrailingDataError, TruncatedError
from game.profiles.keys import Bytes

CHUNK_BYTES = 1 << 16
TAG_BYTES = 16
_SEALED = CHUNK_BYTES + TAG_BYTES


def sealed_size(size: int) -> int:
    """Bytes of the sealed stream of `size` bytes."""
    return size + TAG_BYTES * max(1, -(-size // CHUNK_BYTES))


def seal_stream(key: Bytes, plaintext: Bytes) -> bytearray:
    """The chunks of `plaintext`, each with its tag. `key` (32 bytes) must be fresh."""
    cipher = ChaCha20Poly1305(key)
    source = memoryview(plaintext)
    sealed = bytearray(sealed_size(len(source)))
    target = memoryview(sealed)
    count = max(1, -(-len(source) // CHUNK_BYTES))
    for index in range(count):
        chunk = source[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
        begin = index * _SEALED
        cipher.encrypt_into(
            _nonce(index, index == count - 1), chunk, None, target[begin : begin + len(chunk) + TAG_BYTES]
        )
    return sealed


def open_stream(key: Bytes, sealed: Bytes, name: str) -> bytearray:
    """What `seal_stream` was given. Nothing comes out before the last chunk has been verified.

    Raises `TruncatedError`, `TrailingDataError`, `ChunkCorruptError`; `name` begins their message.
    """
    cipher = ChaCha20Poly1305(key)
    source = memoryview(sealed)
    count = -(-len(source) // _SEALED)
    last_size = len(source) - (count - 1) * _SEALED - TAG_BYTES
    plaintext = bytearray(max(0, count - 1) * CHUNK_BYTES + max(0, last_size))
    target = memoryview(plaintext)
    try:
        if count == 0:
            raise TruncatedError(f"{name}: the end is missing; get a fresh copy")
        for index in range(count):
            chunk = source[index * _SEALED : (index + 1) * _SEALED]
            begin = index * CHUNK_BYTES
            _open_chunk(cipher, chunk, index, index == count - 1, target[begin:], name)
    except BaseException:
        plaintext[:] = bytes(len(plaintext))
        raise
    return plaintext


def _open_chunk(
    cipher: ChaCha20Poly1305, chunk: memoryview, index: int, last: bool, target: memoryview, name: str
) -> None:
    size = len(chunk) - TAG_BYTES
    if size < 0:
        # Too short for a tag: the rest of a chunk that was cut, unless the stream ended before.
        raise TruncatedError(f"{name}: the end is missing; get a fresh copy")
    if size == 0 and index > 0:
        raise ChunkCorruptError(f"{name}: chunk {index} is empty; get a fresh copy", index)
    if _opens(cipher, _nonce(index, last), chunk, target[:size]):
        return
    if _opens(cipher, _nonce(index, not last), chunk, target[:size]):
        if last:
            raise TruncatedError(f"{name}: the end is missing; get a fresh copy")
        raise TrailingDataError(f"{name}: something follows the end; get a fresh copy")
    raise ChunkCorruptError(f"{name}: chunk {index} is damaged; get a fresh copy", index)


def _opens(cipher: ChaCha20Poly1305, nonce: bytes, chunk: memoryview, target: memoryview) -> bool:
    try:
        cipher.decrypt_into(nonce, chunk, None, target)
    except InvalidTag:
        return False
    return True


def _nonce(index: int, last: bool) -> bytes:
    return index.to_bytes(11, "big") + bytes([last])
