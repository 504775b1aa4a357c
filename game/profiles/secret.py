"""Secrets that open profiles: a passphrase, or 128 random bits that can be shown as text or as a QR code."""

from __future__ import annotations

import getpass
import os
import stat
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

from game.console import say
from game.profiles.errors import WeakSecretError
from game.profiles.keys import sha256
from solver.errors import InputError, UsageError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""
RANDOM_BYTES = 16
CODE_LETTERS = 28
"""128 bits and 12 of a checksum, 5 a letter."""
LEAST_LETTERS = 10
MOST_BYTES = 1024
_MISREAD = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})


class Secret:
    """A secret held in memory that `wipe` (or leaving a `with` block) zeroes. Never printed by accident.

    A generated code is known by its checksum and may be typed in lower case, with spaces, or with O for 0.
    """

    __slots__ = ("_bytes",)

    def __init__(self, text: str) -> None:
        """The secret `text` (composed, NFC). Raises `InputError` where it is empty or longer than a page."""
        code = _as_code(text)
        try:
            data = bytearray(unicodedata.normalize("NFC", text if code is None else code).encode("utf-8"))
        except UnicodeEncodeError as error:
            raise InputError("the secret is not UTF-8; type it again") from error
        if not data:
            raise InputError("the secret is empty; give at least one line")
        if len(data) > MOST_BYTES:
            raise InputError(f"the secret is longer than {MOST_BYTES} bytes; give one line")
        self._bytes = data

    @classmethod
    def generate(cls, random: Callable[[int], bytes] = os.urandom) -> Secret:
        """128 fresh random bits as a code."""
        return cls(_encode(random(RANDOM_BYTES)))

    @classmethod
    def from_file(cls, path: Path) -> Secret:
        """The first line of a file. Says so where others may read it. Raises `InputError`."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                if stat.S_ISREG(mode := os.fstat(file.fileno()).st_mode) and os.name == "posix" and mode & 0o077:
                    say(f"{path}: others may read this secret; chmod 600 it")
                line = file.readline(MOST_BYTES + 2).rstrip(b"\r\n")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); check --secret-file") from error
        try:
            return cls(line.decode("utf-8"))
        except (UnicodeDecodeError, InputError) as error:
            raise InputError(f"{path}: its first line is no secret ({_reason(error)})") from error

    @classmethod
    def prompt(cls, what: str, twice: bool = False) -> Secret:
        """Asks on the terminal without an echo. Raises `UsageError` where there is none."""
        if not sys.stdin.isatty():
            raise UsageError("there is no terminal to ask for the secret; give --secret-file FILE")
        try:
            text = getpass.getpass(f"{what}: ")
            if twice and getpass.getpass("once more: ") != text:
                raise InputError("the two were not the same; try again")
        except EOFError as error:
            raise UsageError("no secret was given; type it or give --secret-file FILE") from error
        return cls(text)

    @property
    def view(self) -> memoryview:
        """The bytes that keys are derived from, read-only, not copied."""
        return memoryview(self._bytes).toreadonly()

    @property
    def text(self) -> str:
        """To be shown to its owner: once wiped it is empty."""
        return self._bytes.decode("utf-8").rstrip("\0")

    @property
    def is_code(self) -> bool:
        """Whether it was generated."""
        return _as_code(self.text) is not None

    def check_strength(self) -> None:
        """Raises `WeakSecretError` for what no key derivation can save: PINs and short words."""
        text = self.text
        if self.is_code:
            return
        if len(text) < LEAST_LETTERS or len(set(text)) < 5:
            raise WeakSecretError(
                f"the secret is too short; use {LEAST_LETTERS} letters or more, better several words, or --generate"
            )
        if text.isdecimal() and len(text) < 2 * LEAST_LETTERS:
            raise WeakSecretError("a number is guessed in days; use several words, or --generate")

    def wipe(self) -> None:
        """Zeroes the bytes."""
        self._bytes[:] = bytes(len(self._bytes))

    def __enter__(self) -> Secret:
        return self

    def __exit__(self, *exception: object) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be copied")


def _encode(data: bytes) -> str:
    value = int.from_bytes(data + _checksum(data), "big") >> 4
    letters = [ALPHABET[value >> 5 * place & 31] for place in reversed(range(CODE_LETTERS))]
    return "-".join("".join(letters[i : i + 4]) for i in range(0, CODE_LETTERS, 4))


def _as_code(text: str) -> str | None:
    """The code that `text` means, as it is shown; None for any other text."""
    letters = text.upper().translate(_MISREAD)
    if len(letters) != CODE_LETTERS or not set(letters) <= set(ALPHABET):
        return None
    value = 0
    for letter in letters:
        value = value << 5 | ALPHABET.index(letter)
    code = _encode((value >> 12).to_bytes(RANDOM_BYTES, "big"))
    return code if code.replace("-", "") == letters else None


def _checksum(data: bytes) -> bytes:
    return sha256(data)[:2]


def _reason(error: Exception) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
