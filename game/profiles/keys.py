"""Keys from secrets and from keys: Argon2id (RFC 9106), scrypt (RFC 7914), HKDF and HMAC with SHA-256 (RFC 5869, 2104).

Keys live in `bytearray`s that `wiped` zeroes. It is the best that Python allows: OpenSSL and the interpreter may keep
copies (docs/profiles.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from game.profiles.errors import KdfLimitError

KEY_BYTES = 32
Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """What one guess at the secret costs. The default takes 0.45 s on two cores of 2024."""

    memory_kib: int = 256 * 1024
    passes: int = 3
    lanes: int = 4


@dataclass(frozen=True, slots=True)
class KdfLimits:
    """The most that a stranger's file may ask of this machine."""

    argon2_memory_kib: int = 1024 * 1024
    argon2_passes: int = 16
    argon2_lanes: int = 16
    argon2_work_kib: int = 4 * 1024 * 1024
    """Memory times passes: the time."""
    scrypt_log_n: int = 20
    scrypt_memory_bytes: int = 1 << 30
    """128 r N bytes with r = 8."""

    def check_argon2(self, cost: Argon2Cost, name: str) -> None:
        """Raises `KdfLimitError` unless `cost` lies within Argon2's own and these limits."""
        most = f"{self.argon2_memory_kib} KiB, {self.argon2_passes} passes, {self.argon2_lanes} lanes"
        possible = cost.lanes >= 1 and cost.passes >= 1 and cost.memory_kib >= 8 * cost.lanes
        if (
            not possible
            or cost.memory_kib > self.argon2_memory_kib
            or cost.passes > self.argon2_passes
            or cost.lanes > self.argon2_lanes
            or cost.memory_kib * cost.passes > self.argon2_work_kib
        ):
            raise KdfLimitError(
                f"{name}: its key derivation asks for {cost.memory_kib} KiB, {cost.passes} passes, {cost.lanes} lanes; "
                f"at most {most} are allowed: get a fresh copy"
            )

    def check_scrypt(self, log_n: int, name: str) -> None:
        """Raises `KdfLimitError` where scrypt with N = 2^log_n, r = 8 would take more than is allowed."""
        if log_n > self.scrypt_log_n or 1024 << log_n > self.scrypt_memory_bytes:
            raise KdfLimitError(
                f"{name}: its scrypt work factor is {log_n}; here at most {self.scrypt_log_n} and "
                f"{self.scrypt_memory_bytes >> 20} MiB are allowed: encrypt it again with a smaller one"
            )


@contextmanager
def wiped(key: bytearray) -> Iterator[bytearray]:
    """Zeroes `key` when the block ends."""
    try:
        yield key
    finally:
        key[:] = bytes(len(key))


def argon2id(secret: Bytes, salt: bytes, cost: Argon2Cost, name: str) -> bytearray:
    """32 bytes from a secret. Check `cost` first. Raises `KdfLimitError` where the memory is not there."""
    key = bytearray(KEY_BYTES)
    try:
        Argon2id(
            salt=salt, length=KEY_BYTES, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib
        ).derive_into(secret, key)  # pyright: ignore[reportArgumentType]  # any buffer will do
    except MemoryError as error:
        raise KdfLimitError(f"{name}: {cost.memory_kib >> 10} MiB of memory are not free; close programs") from error
    return key


def scrypt(secret: Bytes, salt: bytes, log_n: int, name: str) -> bytearray:
    """32 bytes from a secret with N = 2^log_n, r = 8, p = 1. Check `log_n` first."""
    key = bytearray(KEY_BYTES)
    try:
        Scrypt(salt=salt, length=KEY_BYTES, n=1 << log_n, r=8, p=1).derive_into(secret, key)
    except MemoryError as error:
        raise KdfLimitError(f"{name}: {1 << log_n >> 10} MiB of memory are not free; close programs") from error
    return key


def hkdf(key: Bytes, salt: bytes, info: bytes) -> bytearray:
    """32 bytes from a key, for the purpose `info`."""
    derived = bytearray(KEY_BYTES)
    HKDF(hashes.SHA256(), KEY_BYTES, salt, info).derive_into(key, derived)
    return derived


def sha256(data: Bytes) -> bytes:
    """The SHA-256 of `data`, 32 bytes."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def authenticate(key: Bytes, message: Bytes) -> bytes:
    """HMAC-SHA-256, 32 bytes."""
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(message)
    return mac.finalize()


def is_authentic(key: Bytes, message: Bytes, tag: bytes) -> bool:
    """Whether `tag` is `authenticate(key, message)`; takes the same time either way."""
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(message)
    try:
        mac.verify(tag)
    except InvalidSignature:
        return False
    return True
