"""The envelope: what is damaged, cut, forged or too greedy is found and named, and nothing comes out."""

import hashlib
import hmac
import itertools
import os
import struct
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from game.profiles import envelope
from game.profiles.envelope import HEADER_AT_MOST, check, read_header, rewrap, seal, unseal
from game.profiles.errors import (
    ChunkCorruptError,
    HeaderCorruptError,
    KdfLimitError,
    NewerVersionError,
    NotProfileError,
    ProfileError,
    TooManySecretsError,
    TrailingDataError,
    TruncatedError,
    WrongSecretOrTamperedError,
)
from game.profiles.keys import Argon2Cost, KdfLimits, sha256
from game.profiles.stream import CHUNK_BYTES
from tests.profiles import NOW, WEAK, make_profile, secret

ID = UUID("3f2a9c01-0000-4000-8000-000000000001")
PLAIN = b"chest_girth 1013.7"


def sealed(plaintext=PLAIN, **options):
    return seal(plaintext, secret(), ID, NOW, NOW + 9, WEAK, **options)


def forged(data, change):
    """The envelope with its header changed by `change(header)` and the SHA-256, which is no secret, set right."""
    data = bytearray(data)
    size = struct.unpack_from("<H", data, 10)[0]
    header = data[:size]
    change(header)
    header[-64:-32] = sha256(header[:-64])
    return bytes(header + data[size:])


@pytest.mark.parametrize("size", [0, 1, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_is_sealed_is_unsealed(size):
    plaintext = os.urandom(size)
    data = sealed(plaintext)
    assert unseal(data, secret()) == plaintext
    header = check(data)
    assert (header.profile_id, header.created_at, header.expires_at) == (ID, NOW, NOW + 9)
    assert len(data) - header.size - size == 16 * max(1, -(-size // CHUNK_BYTES))
    assert read_header(data[:HEADER_AT_MOST]) == header


def test_wrong_secret():
    with pytest.raises(WrongSecretOrTamperedError):
        unseal(sealed(), secret("incorrect horse battery"))


def test_every_flipped_bit_is_found():
    data = sealed()
    for bit in range(8 * len(data)):
        bent = bytearray(data)
        bent[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProfileError):
            unseal(bytes(bent), secret())


def flip_bits(data, bits):
    for bit in bits:
        bent = bytearray(data)
        bent[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProfileError):
            unseal(bytes(bent), secret())


def test_a_flipped_bit_in_every_byte_of_a_profile_is_found():
    data = sealed(make_profile().encode())
    flip_bits(data, (8 * i + i % 8 for i in range(len(data))))


@pytest.mark.slow
def test_every_flipped_bit_of_a_profile_is_found():
    data = sealed(make_profile().encode())
    flip_bits(data, range(8 * len(data)))


def test_every_truncation_is_found():
    data = sealed()
    for size in range(len(data)):
        expected = NotProfileError if size == 0 else TruncatedError
        with pytest.raises(expected):
            unseal(data[:size], secret())
        with pytest.raises(expected):
            check(data[:size])


def test_what_follows_the_end_is_found():
    for more in (b"\0", b"x" * 40):
        with pytest.raises(TrailingDataError):
            unseal(sealed() + more, secret())


@pytest.mark.parametrize(
    ("place", "failure"),
    [
        (0, NotProfileError),  # magic
        (11, HeaderCorruptError),  # header length
        (20, HeaderCorruptError),  # id
        (-1, ChunkCorruptError),
    ],
)
def test_damage_has_a_name(place, failure):
    bent = bytearray(sealed())
    bent[place] ^= 0x40
    with pytest.raises(failure):
        unseal(bytes(bent), secret())
    with pytest.raises(failure):
        check(bytes(bent))


def test_a_later_version_is_named():
    bent = bytearray(sealed())
    bent[8] = 2
    with pytest.raises(NewerVersionError):
        read_header(bytes(bent))


def test_a_damaged_chunk_is_numbered():
    data = bytearray(sealed(bytes(3 * CHUNK_BYTES)))
    data[-CHUNK_BYTES - 100] ^= 1
    with pytest.raises(ChunkCorruptError) as caught:
        unseal(bytes(data), secret())
    assert caught.value.index == 1


@pytest.mark.parametrize("offset", [12, 28, 36, 52, 84, 130, 170])
def test_a_forged_header_is_found_by_who_has_the_secret(offset):
    """Id, times, salt, checksum, slot: the SHA-256 can be forged, the HMAC cannot."""

    def change(header):
        header[offset] ^= 1

    bent = forged(sealed(), change)
    assert read_header(bent)
    with pytest.raises(WrongSecretOrTamperedError):
        unseal(bent, secret())


def test_a_slot_opens_in_its_own_profile_only():
    stolen, other = sealed(), seal(b"other", secret(), UUID(int=7), NOW, NOW + 9, WEAK)

    def change(header):
        header[117:-64] = stolen[117 : read_header(stolen).size - 64]

    with pytest.raises(WrongSecretOrTamperedError):
        unseal(forged(other, change), secret())


@pytest.mark.parametrize(
    "cost",
    [
        (1 << 21, 1, 1),
        (2**32 - 1, 1, 1),
        (1 << 20, 5, 4),
        (8, 17, 1),
        (8, 2**32 - 1, 1),
        (1024, 1, 17),
        (8, 0, 1),
        (8, 1, 0),
        (7, 1, 1),
        (8, 1, 2),
    ],
)
def test_the_cost_is_refused_before_anything_is_derived(cost, monkeypatch):
    def derive(*_):
        raise AssertionError("derived")

    def change(header):
        struct.pack_into("<IIB", header, 118, *cost)

    bent = forged(sealed(), change)
    monkeypatch.setattr(envelope, "argon2id", derive)
    with pytest.raises(KdfLimitError):
        unseal(bent, secret())
    with pytest.raises(AssertionError, match="derived"):
        unseal(sealed_before_patch, secret())


sealed_before_patch = sealed()


def test_the_default_cost_is_allowed_and_costs_what_it_should():
    cost = Argon2Cost()
    KdfLimits().check_argon2(cost, "profile")
    assert cost == Argon2Cost(256 * 1024, 3, 4)
    assert read_header(sealed()).slots[0].cost == WEAK


def test_a_plaintext_that_is_no_profile_is_refused():
    with pytest.raises(ValueError, match="too many"):
        sealed(bytes(envelope.MOST_PLAINTEXT + 1))


def test_rewrapping_changes_the_slot_and_nothing_else():
    data, new = sealed(), secret("another horse")
    renewed = rewrap(data, secret(), new, cost=WEAK)
    assert unseal(renewed, new) == PLAIN
    with pytest.raises(WrongSecretOrTamperedError):
        unseal(renewed, secret())
    size = read_header(data).size
    assert renewed[size:] == data[size:]
    assert read_header(renewed).slots != read_header(data).slots


def test_several_secrets_each_open_it():
    data = sealed()
    secrets = [secret(), *(secret(f"horse number {n}") for n in range(envelope.MOST_SLOTS - 1))]
    for more in secrets[1:]:
        data = rewrap(data, secrets[0], more, keep=True, cost=WEAK)
    for one in secrets:
        assert unseal(data, one) == PLAIN
    with pytest.raises(TooManySecretsError, match="replace one"):
        rewrap(data, secrets[0], secret("one too many"), keep=True, cost=WEAK)
    renewed = rewrap(data, secrets[2], secret("in its place"), cost=WEAK)
    assert len(read_header(renewed).slots) == envelope.MOST_SLOTS
    with pytest.raises(WrongSecretOrTamperedError):
        unseal(renewed, secrets[2])
    for one in (secrets[0], secrets[1], secrets[3], secret("in its place")):
        assert unseal(renewed, one) == PLAIN
    assert read_header(renewed).size == HEADER_AT_MOST


def test_nothing_random_is_used_twice():
    first, second = (read_header(sealed()) for _ in range(2))
    assert first.payload_salt != second.payload_salt
    assert first.slots[0].salt != second.slots[0].salt
    assert first.payload_sha256 != second.payload_sha256


def counting():
    """Not random at all: 1, 1, 1, ... then 2, 2, 2, ..."""
    calls = itertools.count(1)
    return lambda count: bytes([next(calls)]) * count


def test_the_format_is_frozen():
    """What was sealed once must open for ever."""
    assert sha256(sealed(random=counting())).hex() == "ca63b8ef4f5c82fba0d0f3c983c51ab2c80109320535f3c2f5f6c7a2f2de1aa9"


def read_as_documented(data, words):
    """docs/profiles.md, byte by byte, for one slot and the standard library's HMAC."""

    def hkdf(key, salt, info):
        extracted = hmac.digest(salt or bytes(32), key, "sha256")
        return hmac.digest(extracted, info + b"\1", "sha256")

    size = int.from_bytes(data[10:12], "little")
    assert data[:10] == b"CHEVALPR\1\0"
    assert size == 181 + 74 * data[116]
    memory, passes = (int.from_bytes(data[at : at + 4], "little") for at in (118, 122))
    derivation = Argon2id(salt=data[127:143], length=32, iterations=passes, lanes=data[126], memory_cost=memory)
    binding = b"CHEVALPR" + data[12:28] + data[117:143]
    data_key = ChaCha20Poly1305(derivation.derive(words)).decrypt(bytes(12), data[143:191], binding)
    assert hashlib.sha256(data[: size - 64]).digest() == data[size - 64 : size - 32]
    header_key = hkdf(data_key, b"", b"cheval profile 1 header")
    assert hmac.digest(header_key, data[: size - 32], "sha256") == data[size - 32 : size]
    assert hashlib.sha256(data[size:]).digest() == data[84:116]
    cipher = ChaCha20Poly1305(hkdf(data_key, data[52:84], b"cheval profile 1 payload" + data[12:28]))
    chunks = [data[at : at + 65552] for at in range(size, len(data), 65552)]
    nonces = [i.to_bytes(11, "big") + bytes([i == len(chunks) - 1]) for i in range(len(chunks))]
    return b"".join(cipher.decrypt(nonce, chunk, None) for nonce, chunk in zip(nonces, chunks, strict=True))


@pytest.mark.parametrize("size", [0, 9, 70_000])
def test_the_page_describes_it(size):
    plaintext = os.urandom(size)
    assert read_as_documented(sealed(plaintext), secret().text.encode()) == plaintext


@settings(max_examples=300)
@given(st.binary(max_size=500), st.booleans())
def test_strangers_bytes_give_typed_errors(data, with_magic):
    with pytest.raises(ProfileError):
        unseal((envelope.MAGIC if with_magic else b"") + data, secret())


@settings(max_examples=200)
@given(st.data())
def test_strangers_headers_give_typed_errors(data):
    """Any header whose SHA-256 is right."""
    bent = forged(
        sealed_before_patch,
        lambda header: header.__setitem__(
            slice(12, 255 - 64), data.draw(st.binary(min_size=255 - 76, max_size=255 - 76))
        ),
    )
    with pytest.raises(ProfileError):
        unseal(bent, secret(), KdfLimits(argon2_memory_kib=64, argon2_work_kib=64))
