"""age's ASCII armour: strict PEM with the label AGE ENCRYPTED FILE, 64 columns, LF or CRLF. Read only."""

from __future__ import annotations

import base64
import binascii
import re

from game.profiles.errors import HeaderCorruptError

BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
END = b"-----END AGE ENCRYPTED FILE-----"
COLUMNS = 64
_OUTSIDE = b" \t\r\n"
_LINES = re.compile(rb"\r?\n")


def is_armored(data: bytes) -> bool:
    """Whether `data` begins as an armoured file does, whitespace before it apart."""
    return data.lstrip(_OUTSIDE).startswith(b"-----BEGIN")


def remove_armor(data: bytes, name: str) -> bytes:
    """The file inside the armour. Raises `HeaderCorruptError` for whatever is not canonical."""
    lines = _LINES.split(data.strip(_OUTSIDE))
    body = lines[1:-1]
    if len(lines) < 2 or lines[0] != BEGIN or lines[-1] != END:
        raise HeaderCorruptError(f"{name}: its armour does not begin and end as age's does; get a fresh copy")
    if any(len(line) != COLUMNS for line in body[:-1]) or (body and not 0 < len(body[-1]) <= COLUMNS):
        raise HeaderCorruptError(f"{name}: the lines of its armour have other lengths than age's; get a fresh copy")
    text = b"".join(body)
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise HeaderCorruptError(f"{name}: its armour is no base64; get a fresh copy") from error
    if base64.b64encode(decoded) != text:
        raise HeaderCorruptError(f"{name}: its armour is not canonical base64; get a fresh copy")
    return decoded
