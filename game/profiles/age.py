"""age v1 files (C2SP age.md) under a passphrase: what profiles leave and enter by. Any age program reads them.

Own implementation on the primitives of `cryptography`: scrypt stanza, header HMAC, STREAM payload. Other kinds of
recipients are parsed, as the format demands, and refused.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from game.profiles.armor import is_armored, remove_armor
from game.profiles.errors import (
    HeaderCorruptError,
    NewerVersionError,
    NotProfileError,
    TruncatedError,
    UnsupportedRecipientError,
    WrongSecretOrTamperedError,
)
from game.profiles.keys import Bytes, KdfLimits, authenticate, hkdf, is_authentic, scrypt, wiped
from game.profiles.secret import Secret
from game.profiles.stream import open_stream, seal_stream

VERSION_LINE = b"age-encryption.org/v1"
WORK_FACTOR = 17
"""log2 of scrypt's N: 128 MiB and 0.25 s a guess."""
FILE_KEY_BYTES = 16
NONCE_BYTES = 16
SALT_BYTES = 16
WRAPPED_BYTES = FILE_KEY_BYTES + 16
COLUMNS = 64
MOST_HEADER = 1 << 16
_SCRYPT_LABEL = VERSION_LINE + b"/scrypt"
_ARGUMENT = re.compile(rb"[\x21-\x7e]+")
_WORK_FACTOR = re.compile(rb"[1-9][0-9]?")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One recipient."""

    type: str
    arguments: tuple[bytes, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class AgeHeader:
    """A parsed header."""

    stanzas: tuple[Stanza, ...]
    authenticated: bytes
    """What `mac` covers."""
    mac: bytes
    size: int
    """Bytes before the payload's nonce."""


def encrypt(
    plaintext: Bytes, secret: Secret, work_factor: int = WORK_FACTOR, random: Callable[[int], bytes] = os.urandom
) -> bytes:
    """An age file that `secret` as a passphrase opens."""
    with wiped(bytearray(random(FILE_KEY_BYTES))) as file_key:
        salt = random(SALT_BYTES)
        body = bytearray(WRAPPED_BYTES)
        with wiped(scrypt(secret.view, _SCRYPT_LABEL + salt, work_factor, "age file")) as wrapping_key:
            ChaCha20Poly1305(wrapping_key).encrypt_into(bytes(12), file_key, None, body)
        header = b"%s\n-> scrypt %s %d\n%s\n---" % (VERSION_LINE, _encode(salt), work_factor, _encode(body))
        with wiped(hkdf(file_key, b"", b"header")) as header_key:
            mac = authenticate(header_key, header)
        nonce = random(NONCE_BYTES)
        with wiped(hkdf(file_key, nonce, b"payload")) as payload_key:
            return b"%s %s\n%s%s" % (header, _encode(mac), nonce, seal_stream(payload_key, plaintext))


def decrypt(data: bytes, secret: Secret, limits: KdfLimits | None = None, name: str = "age file") -> bytearray:
    """The payload of an age file; nothing comes out before its last chunk has been verified. Zero it after use.

    Raises the errors of `game.profiles.errors`; `name` begins their message.
    """
    if is_armored(data):
        data = remove_armor(data, name)
    header = parse_header(data, name)
    with wiped(_unwrap(header, secret, limits or KdfLimits(), name)) as file_key:
        return open_payload(data, header, file_key, name)


def parse_header(data: bytes, name: str) -> AgeHeader:
    """The header that `data` begins with, strictly as the format has it."""
    lines = _Lines(data, name)
    version = lines.next()
    if version != VERSION_LINE:
        if version.startswith(b"age-encryption.org/"):
            if version.endswith(b"\r"):
                raise HeaderCorruptError(f"{name}: its line ends were changed to CRLF; copy it as a binary file")
            raise NewerVersionError(f"{name}: not version 1 of age; encrypt it again with age or `profile export`")
        raise NotProfileError(f"{name}: this is no age file; check which file it is")
    stanzas = []
    while not (line := lines.next()).startswith(b"---"):
        stanzas.append(_parse_stanza(line, lines, name))
    if not line.startswith(b"--- ") or not stanzas:
        raise HeaderCorruptError(f"{name}: its header does not end as age's does; get a fresh copy")
    mac = _decode(line[4:], name)
    if len(mac) != 32:
        raise HeaderCorruptError(f"{name}: its header's HMAC has {len(mac)} bytes instead of 32; get a fresh copy")
    if len(data) < lines.position + NONCE_BYTES:
        raise TruncatedError(f"{name}: it ends with its header; get a fresh copy")
    return AgeHeader(tuple(stanzas), data[: lines.position - len(line) + 2], mac, lines.position)


def open_payload(data: bytes, header: AgeHeader, file_key: Bytes, name: str) -> bytearray:
    """The payload under `file_key`, once header and payload have been found authentic."""
    with wiped(hkdf(file_key, b"", b"header")) as header_key:
        if not is_authentic(header_key, header.authenticated, header.mac):
            raise WrongSecretOrTamperedError(f"{name}: its header was changed; get a fresh copy")
    begin = header.size + NONCE_BYTES
    with wiped(hkdf(file_key, data[header.size : begin], b"payload")) as payload_key:
        return open_stream(payload_key, memoryview(data)[begin:], name)


def _parse_stanza(line: bytes, lines: _Lines, name: str) -> Stanza:
    marker, *arguments = line.split(b" ")
    if marker != b"->" or not arguments or not all(map(_ARGUMENT.fullmatch, arguments)):
        raise HeaderCorruptError(f"{name}: a line of its header breaks the format; get a fresh copy")
    text = b""
    while True:
        # Every body ends with a line shorter than 64 columns, if need be an empty one.
        line = lines.next()
        text += line
        if len(line) > COLUMNS:
            raise HeaderCorruptError(f"{name}: a line of its header is too long; get a fresh copy")
        if len(line) < COLUMNS:
            return Stanza(arguments[0].decode("ascii"), tuple(arguments[1:]), _decode(text, name))


def _unwrap(header: AgeHeader, secret: Secret, limits: KdfLimits, name: str) -> bytearray:
    """The file key from the scrypt stanza."""
    types = [stanza.type for stanza in header.stanzas]
    if "scrypt" not in types:
        kinds = ", ".join(sorted(set(types)))[:60]
        raise UnsupportedRecipientError(
            f"{name}: it is encrypted for keys ({kinds}); encrypt it with a passphrase instead (age --passphrase)"
        )
    if len(types) > 1:
        raise HeaderCorruptError(f"{name}: a passphrase stands beside other recipients; get a fresh copy")
    stanza = header.stanzas[0]
    if len(stanza.arguments) != 2 or not _WORK_FACTOR.fullmatch(stanza.arguments[1]):
        raise HeaderCorruptError(f"{name}: its scrypt stanza breaks the format; get a fresh copy")
    salt = _decode(stanza.arguments[0], name)
    # The length is checked before decrypting: else one file could be made to open under many passphrases.
    if len(salt) != SALT_BYTES or len(stanza.body) != WRAPPED_BYTES:
        raise HeaderCorruptError(f"{name}: its scrypt stanza breaks the format; get a fresh copy")
    work_factor = int(stanza.arguments[1])
    limits.check_scrypt(work_factor, name)
    file_key = bytearray(FILE_KEY_BYTES)
    with wiped(scrypt(secret.view, _SCRYPT_LABEL + salt, work_factor, name)) as wrapping_key:
        try:
            ChaCha20Poly1305(wrapping_key).decrypt_into(bytes(12), stanza.body, None, file_key)
        except InvalidTag as error:
            raise WrongSecretOrTamperedError(f"{name}: the secret is wrong, or the file was changed") from error
    return file_key


class _Lines:
    """The lines of a header; never past `MOST_HEADER`."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self.position = 0

    def next(self) -> bytes:
        end = self._data.find(b"\n", self.position, MOST_HEADER)
        if end < 0:
            if self.position == 0:
                raise NotProfileError(f"{self._name}: this is no age file; check which file it is")
            raise HeaderCorruptError(f"{self._name}: its header has no end; get a fresh copy")
        line = self._data[self.position : end]
        self.position = end + 1
        return line


def _encode(data: Bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _decode(text: bytes, name: str) -> bytes:
    """Canonical base64 without padding."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise HeaderCorruptError(f"{name}: its header is no base64; get a fresh copy") from error
    if _encode(data) != text:
        raise HeaderCorruptError(f"{name}: its header is not canonical base64; get a fresh copy")
    return data
