"""The envelope that a profile lies in at rest: age's construction with a binary, bound header and several key slots.

A random 256-bit data key seals one payload and never another. Each slot wraps it under a key that Argon2id makes from
one secret. The header is covered by a SHA-256, so that damage is told from a wrong secret, and by an HMAC under the
data key, so that nothing in it can be changed by who does not hold a secret. Byte by byte: docs/profiles.md.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from game.profiles.errors import (
    ChunkCorruptError,
    HeaderCorruptError,
    NewerVersionError,
    NotProfileError,
    TooManySecretsError,
    TrailingDataError,
    TruncatedError,
    WrongSecretOrTamperedError,
)
from game.profiles.keys import (
    KEY_BYTES,
    Argon2Cost,
    Bytes,
    KdfLimits,
    argon2id,
    authenticate,
    hkdf,
    is_authentic,
    sha256,
    wiped,
)
from game.profiles.secret import Secret
from game.profiles.stream import TAG_BYTES, open_stream, seal_stream, sealed_size

MAGIC = b"CHEVALPR"
VERSION = 1
MOST_SLOTS = 4
MOST_PLAINTEXT = 16 << 20
"""A profile takes 0.4 MiB; a stranger's file may not take more than this."""
MOST_HEADER = 1024
SALT_BYTES = 16
ARGON2ID = 1

_PREFIX = struct.Struct("<8sHH16sqqQ32s32sB")
"""Magic, version, header length, id, created, expires, plaintext length, payload salt and SHA-256, slot count."""
_SLOT = struct.Struct("<BIIB16s48s")
"""KDF, memory [KiB], passes, lanes, salt, wrapped data key."""
_WRAPPED = KEY_BYTES + TAG_BYTES
_DIGESTS = 64
HEADER_AT_MOST = _PREFIX.size + MOST_SLOTS * _SLOT.size + _DIGESTS

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Slot:
    """One way in."""

    cost: Argon2Cost
    salt: bytes
    wrapped_key: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What an envelope says without its secret. Authentic only once it has been opened."""

    profile_id: UUID
    created_at: int
    """Unix time [s]."""
    expires_at: int
    plaintext_size: int
    payload_salt: bytes
    payload_sha256: bytes
    slots: tuple[Slot, ...]

    @property
    def size(self) -> int:
        """Bytes before the payload."""
        return _PREFIX.size + len(self.slots) * _SLOT.size + _DIGESTS


def seal(
    plaintext: Bytes,
    secret: Secret,
    profile_id: UUID,
    created_at: int,
    expires_at: int,
    cost: Argon2Cost | None = None,
    random: Random = os.urandom,
) -> bytes:
    """A new envelope around `plaintext`, under a fresh data key, with one slot for `secret`.

    Raises `ValueError` beyond `MOST_PLAINTEXT` bytes: no profile is so large.
    """
    if len(plaintext) > MOST_PLAINTEXT:
        raise ValueError(f"{len(plaintext)} bytes are too many for a profile")
    with wiped(bytearray(random(KEY_BYTES))) as data_key:
        payload_salt = random(32)
        with wiped(_payload_key(data_key, payload_salt, profile_id)) as payload_key:
            payload = seal_stream(payload_key, plaintext)
        slot = _wrap(data_key, secret, profile_id, cost or Argon2Cost(), random)
        header = Header(profile_id, created_at, expires_at, len(plaintext), payload_salt, sha256(payload), (slot,))
        return _write_header(header, data_key) + payload


def unseal(envelope: Bytes, secret: Secret, limits: KdfLimits | None = None, name: str = "profile") -> bytearray:
    """What `seal` was given; nothing comes out before its last chunk has been verified. Zero it after use.

    Raises the errors of `game.profiles.errors`; `name` begins their message.
    """
    envelope = memoryview(envelope)
    header = read_header(envelope, limits, name)
    _check_size(envelope, header, name)
    with (
        wiped(_open_slots(envelope, header, secret, name)[1]) as data_key,
        wiped(_payload_key(data_key, header.payload_salt, header.profile_id)) as payload_key,
    ):
        return open_stream(payload_key, envelope[header.size :], name)


def read_header(envelope: Bytes, limits: KdfLimits | None = None, name: str = "profile") -> Header:
    """The header of an envelope, or of its first `HEADER_AT_MOST` bytes, checked as far as can be without a secret."""
    limits = limits or KdfLimits()
    data = bytes(memoryview(envelope)[:MOST_HEADER])
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise NotProfileError(f"{name}: this is no Cheval profile; check which file it is")
    if len(data) < 12:
        raise TruncatedError(f"{name}: the end is missing; get a fresh copy")
    version, size = struct.unpack_from("<HH", data, 8)
    if version > VERSION:
        raise NewerVersionError(f"{name}: format {version} is newer than this program; update Cheval")
    if version < 1 or not _PREFIX.size + _SLOT.size + _DIGESTS <= size <= MOST_HEADER:
        raise HeaderCorruptError(f"{name}: the header is damaged; get a fresh copy")
    if len(data) < size:
        raise TruncatedError(f"{name}: the end is missing; get a fresh copy")
    if sha256(data[: size - _DIGESTS]) != data[size - _DIGESTS : size - 32]:
        raise HeaderCorruptError(f"{name}: the header is damaged; get a fresh copy")
    _, _, _, raw_id, created, expires, plaintext_size, salt, digest, count = _PREFIX.unpack_from(data)
    if (
        not 1 <= count <= MOST_SLOTS
        or size != _PREFIX.size + count * _SLOT.size + _DIGESTS
        or plaintext_size > MOST_PLAINTEXT
        or not 0 <= created <= expires < 1 << 40
    ):
        raise HeaderCorruptError(f"{name}: the header breaks the format; get a fresh copy")
    slots = []
    for index in range(count):
        kdf, memory, passes, lanes, slot_salt, wrapped_key = _SLOT.unpack_from(data, _PREFIX.size + index * _SLOT.size)
        if kdf != ARGON2ID:
            raise HeaderCorruptError(f"{name}: its key derivation {kdf} is unknown; get a fresh copy")
        cost = Argon2Cost(memory, passes, lanes)
        limits.check_argon2(cost, name)
        slots.append(Slot(cost, slot_salt, wrapped_key))
    return Header(UUID(bytes=raw_id), created, expires, plaintext_size, salt, digest, tuple(slots))


def check(envelope: Bytes, limits: KdfLimits | None = None, name: str = "profile") -> Header:
    """Finds damage without a secret: header, length, SHA-256 of the payload. What a forger made passes."""
    envelope = memoryview(envelope)
    header = read_header(envelope, limits, name)
    _check_size(envelope, header, name)
    if sha256(envelope[header.size :]) != header.payload_sha256:
        raise ChunkCorruptError(f"{name}: the payload is damaged; get a fresh copy", -1)
    return header


def rewrap(
    envelope: Bytes,
    secret: Secret,
    new_secret: Secret,
    keep: bool = False,
    cost: Argon2Cost | None = None,
    random: Random = os.urandom,
    limits: KdfLimits | None = None,
    name: str = "profile",
) -> bytes:
    """The same payload under `new_secret`; the slot of `secret` goes, or stays too where `keep` says so.

    The data key stays: who copied the envelope and knows the old secret can open the copy, and with its data key
    whatever payload this one has. Where a secret leaked, seal anew instead. Raises what `unseal` raises.
    """
    envelope = memoryview(envelope)
    header = read_header(envelope, limits, name)
    _check_size(envelope, header, name)
    used, data_key = _open_slots(envelope, header, secret, name)
    with wiped(data_key):
        slots = [slot for index, slot in enumerate(header.slots) if keep or index != used]
        if len(slots) == MOST_SLOTS:
            raise TooManySecretsError(f"{name}: it has {MOST_SLOTS} secrets already; replace one")
        slots.append(_wrap(data_key, new_secret, header.profile_id, cost or Argon2Cost(), random))
        renewed = Header(
            header.profile_id,
            header.created_at,
            header.expires_at,
            header.plaintext_size,
            header.payload_salt,
            header.payload_sha256,
            tuple(slots),
        )
        return _write_header(renewed, data_key) + bytes(envelope[header.size :])


def _check_size(envelope: memoryview, header: Header, name: str) -> None:
    excess = len(envelope) - header.size - sealed_size(header.plaintext_size)
    if excess < 0:
        raise TruncatedError(f"{name}: the end is missing ({-excess} bytes); get a fresh copy")
    if excess > 0:
        raise TrailingDataError(f"{name}: {excess} bytes follow the end; get a fresh copy")


def _open_slots(envelope: memoryview, header: Header, secret: Secret, name: str) -> tuple[int, bytearray]:
    """The slot that `secret` opens, and the data key, once the header has been found authentic under it."""
    for index, slot in enumerate(header.slots):
        data_key = bytearray(KEY_BYTES)
        with wiped(argon2id(secret.view, slot.salt, slot.cost, name)) as wrapping_key:
            try:
                ChaCha20Poly1305(wrapping_key).decrypt_into(
                    bytes(12), slot.wrapped_key, _slot_binding(header.profile_id, slot.cost, slot.salt), data_key
                )
            except InvalidTag:
                continue
        with wiped(_header_key(data_key)) as header_key:
            if is_authentic(header_key, envelope[: header.size - 32], bytes(envelope[header.size - 32 : header.size])):
                return index, data_key
        data_key[:] = bytes(KEY_BYTES)
        break
    raise WrongSecretOrTamperedError(f"{name}: the secret is wrong, or the profile was tampered with; try again")


def _wrap(data_key: Bytes, secret: Secret, profile_id: UUID, cost: Argon2Cost, random: Random) -> Slot:
    salt = random(SALT_BYTES)
    with wiped(argon2id(secret.view, salt, cost, "profile")) as wrapping_key:
        # The salt is fresh, so is the key: a nonce of zeros serves its one use.
        wrapped_key = bytearray(_WRAPPED)
        ChaCha20Poly1305(wrapping_key).encrypt_into(
            bytes(12), data_key, _slot_binding(profile_id, cost, salt), wrapped_key
        )
    return Slot(cost, salt, bytes(wrapped_key))


def _slot_binding(profile_id: UUID, cost: Argon2Cost, salt: bytes) -> bytes:
    """A slot opens in its own profile only, with its own parameters."""
    return MAGIC + profile_id.bytes + _slot_bytes(Slot(cost, salt, bytes(_WRAPPED)))[:-_WRAPPED]


def _slot_bytes(slot: Slot) -> bytes:
    cost = slot.cost
    return _SLOT.pack(ARGON2ID, cost.memory_kib, cost.passes, cost.lanes, slot.salt, slot.wrapped_key)


def _write_header(header: Header, data_key: Bytes) -> bytes:
    prefix = _PREFIX.pack(
        MAGIC,
        VERSION,
        header.size,
        header.profile_id.bytes,
        header.created_at,
        header.expires_at,
        header.plaintext_size,
        header.payload_salt,
        header.payload_sha256,
        len(header.slots),
    )
    data = prefix + b"".join(map(_slot_bytes, header.slots))
    data += sha256(data)
    with wiped(_header_key(data_key)) as header_key:
        return data + authenticate(header_key, data)


def _header_key(data_key: Bytes) -> bytearray:
    return hkdf(data_key, b"", b"cheval profile 1 header")


def _payload_key(data_key: Bytes, salt: bytes, profile_id: UUID) -> bytearray:
    return hkdf(data_key, salt, b"cheval profile 1 payload" + profile_id.bytes)
