"""age v1: the community's test vectors, and the other program both ways."""

import hashlib
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from game.profiles import age
from game.profiles.armor import is_armored, remove_armor
from game.profiles.errors import (
    ChunkCorruptError,
    HeaderCorruptError,
    KdfLimitError,
    NewerVersionError,
    NotProfileError,
    ProfileError,
    TrailingDataError,
    TruncatedError,
    UnsupportedRecipientError,
    WrongSecretOrTamperedError,
)
from game.profiles.keys import KdfLimits
from game.profiles.secret import Secret
from game.profiles.stream import CHUNK_BYTES, open_stream, seal_stream, sealed_size

BESIDE = (parent / "shared/data/age-vectors/testdata" for parent in Path(__file__).resolve().parents)
VECTORS = Path(os.environ.get("CHEVAL_AGE_VECTORS") or next(filter(Path.is_dir, BESIDE), "absent"))
NAMES = sorted(path.name for path in VECTORS.iterdir()) if VECTORS.is_dir() else []
HEADER_FAILURES = (HeaderCorruptError, NewerVersionError, NotProfileError, KdfLimitError, TruncatedError)
PAYLOAD_FAILURES = (ChunkCorruptError, TruncatedError, TrailingDataError)
QUICK = 1
"""A work factor for tests."""

vectors_are_here = pytest.mark.skipif(not NAMES, reason="the age test vectors are not here (CHEVAL_AGE_VECTORS)")


class Vector(NamedTuple):
    expect: str
    passphrases: list[str]
    payload: str
    file_key: bytes
    armored: bool
    data: bytes


def load(name):
    head, _, data = (VECTORS / name).read_bytes().partition(b"\n\n")
    pairs = [line.split(": ", 1) for line in head.decode().splitlines()]
    values = dict(pairs)
    if values.get("compressed") == "zlib":
        data = zlib.decompress(data)
    return Vector(
        values["expect"],
        [value for key, value in pairs if key == "passphrase"],
        values.get("payload", ""),
        bytes.fromhex(values["file key"]) if "file key" in values else b"",
        values.get("armored") == "yes",
        data,
    )


def open_with_file_key(vector):
    data = remove_armor(vector.data, "v") if vector.armored else vector.data
    header = age.parse_header(data, "v")
    return age.open_payload(data, header, vector.file_key, "v")


def concerns_a_key(name):
    """What these are about lies in a stanza of a kind that is refused unread."""
    return name.startswith(("x25519", "hybrid", "armor_hybrid"))


@vectors_are_here
@pytest.mark.parametrize("name", [n for n in NAMES if "scrypt" in n])
def test_scrypt_vectors(name):
    vector = load(name)
    assert vector.passphrases
    assert is_armored(vector.data) == vector.armored
    for passphrase in vector.passphrases:
        secret = Secret(passphrase)
        if vector.expect == "success":
            assert hashlib.sha256(age.decrypt(vector.data, secret)).hexdigest() == vector.payload
        elif vector.expect == "no match":
            with pytest.raises((WrongSecretOrTamperedError, UnsupportedRecipientError)):
                age.decrypt(vector.data, secret)
        else:
            assert vector.expect == "header failure"
            with pytest.raises(HEADER_FAILURES):
                age.decrypt(vector.data, secret)


@vectors_are_here
@pytest.mark.parametrize("name", [n for n in NAMES if "scrypt" not in n and not concerns_a_key(n)])
def test_format_vectors(name):
    """Armour, header, HMAC and payload, opened by the file key that each vector gives."""
    vector = load(name)
    if vector.expect == "success":
        assert hashlib.sha256(open_with_file_key(vector)).hexdigest() == vector.payload
    elif vector.expect == "no match":
        with pytest.raises(UnsupportedRecipientError):
            age.decrypt(vector.data, Secret("password"))
    else:
        failures = {
            "armor failure": HeaderCorruptError,
            "header failure": HEADER_FAILURES,
            "HMAC failure": WrongSecretOrTamperedError,
            "payload failure": PAYLOAD_FAILURES,
        }
        with pytest.raises(failures[vector.expect]):
            open_with_file_key(vector)


@vectors_are_here
@pytest.mark.parametrize("name", [n for n in NAMES if concerns_a_key(n)])
def test_vectors_of_other_recipients_are_refused_by_name(name):
    vector = load(name)
    if name.endswith("not_canonical_body"):
        with pytest.raises(HeaderCorruptError):
            age.decrypt(vector.data, Secret("password"))
        return
    with pytest.raises(UnsupportedRecipientError, match="passphrase"):
        age.decrypt(vector.data, Secret("password"))
    if vector.expect == "success":
        assert hashlib.sha256(open_with_file_key(vector)).hexdigest() == vector.payload


@vectors_are_here
def test_every_vector_is_tried():
    assert len(NAMES) == 143


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_what_goes_in_comes_out(size):
    plaintext = os.urandom(size)
    with Secret("correct horse") as secret:
        assert age.decrypt(age.encrypt(plaintext, secret, QUICK), secret) == plaintext


def test_every_flipped_bit_is_found():
    secret = Secret("correct horse")
    sealed = age.encrypt(b"chest 1024.7", secret, QUICK)
    for bit in range(8 * len(sealed)):
        bent = bytearray(sealed)
        bent[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProfileError):
            # A work factor may become a large one: it must be refused before it is derived.
            age.decrypt(bytes(bent), secret, KdfLimits(scrypt_log_n=9))


def test_every_truncation_is_found():
    secret = Secret("correct horse")
    sealed = age.encrypt(b"chest 1024.7", secret, QUICK)
    for size in range(len(sealed)):
        with pytest.raises(ProfileError):
            age.decrypt(sealed[:size], secret)


def test_what_follows_the_end_is_found():
    secret = Secret("correct horse")
    sealed = age.encrypt(os.urandom(CHUNK_BYTES), secret, QUICK)
    with pytest.raises(TrailingDataError):
        age.decrypt(sealed + b"x", secret)
    with pytest.raises(ChunkCorruptError):
        age.decrypt(sealed[:-1] + bytes([sealed[-1] ^ 1]), secret)


def test_work_is_refused_before_it_is_done(monkeypatch):
    secret = Secret("correct horse")
    sealed = age.encrypt(b"", secret, QUICK)

    def derive(*_):
        raise AssertionError("derived")

    monkeypatch.setattr(age, "scrypt", derive)
    for factor in (b"21", b"22", b"63", b"99"):
        with pytest.raises(KdfLimitError):
            age.decrypt(sealed.replace(b" 1\n", b" %s\n" % factor), secret)
    with pytest.raises(KdfLimitError):
        age.decrypt(sealed.replace(b" 1\n", b" 18\n"), secret, KdfLimits(scrypt_memory_bytes=128 << 20))
    with pytest.raises(AssertionError, match="derived"):
        age.decrypt(sealed.replace(b" 1\n", b" 20\n"), secret)


def test_chunks_cannot_be_swapped_or_dropped():
    key = os.urandom(32)
    plaintext = os.urandom(3 * CHUNK_BYTES)
    sealed = seal_stream(key, plaintext)
    step = CHUNK_BYTES + 16
    first, second, last = sealed[:step], sealed[step : 2 * step], sealed[2 * step :]
    for bent, failure in (
        (second + first + last, ChunkCorruptError),
        (first + last, ChunkCorruptError),
        (first + second, TruncatedError),
        (first + second + second + last, ChunkCorruptError),
        (first + second + last + last, TrailingDataError),
        (b"", TruncatedError),
    ):
        with pytest.raises(failure):
            open_stream(key, bent, "s")


def test_a_damaged_chunk_is_named():
    key = os.urandom(32)
    sealed = seal_stream(key, bytes(3 * CHUNK_BYTES))
    sealed[CHUNK_BYTES + 100] ^= 4
    with pytest.raises(ChunkCorruptError, match="chunk 1") as caught:
        open_stream(key, sealed, "s")
    assert caught.value.index == 1


@given(st.binary(max_size=300))
def test_streams_have_their_size(plaintext):
    key = bytes(32)
    sealed = seal_stream(key, plaintext)
    assert len(sealed) == sealed_size(len(plaintext))
    assert open_stream(key, sealed, "s") == plaintext


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_strangers_bytes_give_typed_errors(data):
    for head in (b"", b"age-encryption.org/v1\n", b"age-encryption.org/v1\n-> scrypt ", b"-----BEGIN"):
        with pytest.raises(ProfileError):
            age.decrypt(head + data, Secret("correct horse"), KdfLimits(scrypt_log_n=8))


class TestPyrage:
    """The Rust implementation, both ways. It chooses its own work factor: up to 2^20, a second or more."""

    pyrage = pytest.importorskip("pyrage", reason="pyrage is not installed: no cross-check of age files")

    @pytest.mark.parametrize("size", [0, CHUNK_BYTES, CHUNK_BYTES + 1])
    def test_it_opens_ours(self, size):
        plaintext = os.urandom(size)
        with Secret.generate() as secret:
            sealed = age.encrypt(plaintext, secret, 10)
            assert self.pyrage.passphrase.decrypt(sealed, secret.text) == plaintext

    def test_it_opens_ours_with_the_work_factor_that_is_shipped(self):
        with Secret.generate() as secret:
            assert self.pyrage.passphrase.decrypt(age.encrypt(b"hips", secret), secret.text) == b"hips"

    def test_we_open_its(self):
        with Secret("correct horse battery") as secret:
            sealed = self.pyrage.passphrase.encrypt(b"hips", secret.text)
            assert age.decrypt(sealed, secret) == b"hips"

    def test_it_refuses_what_we_refuse(self):
        with Secret("correct horse battery") as secret:
            sealed = age.encrypt(b"hips", secret, 10)
            with pytest.raises(self.pyrage.DecryptError):
                self.pyrage.passphrase.decrypt(sealed, "wrong horse battery")

    def test_files_for_keys_are_refused(self):
        identity = self.pyrage.x25519.Identity.generate()
        sealed = self.pyrage.encrypt(b"hips", [identity.to_public()])
        with pytest.raises(UnsupportedRecipientError, match="X25519"):
            age.decrypt(sealed, Secret("correct horse"))
