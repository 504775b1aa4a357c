"""What a shopper agreed to before anything was kept: kept itself with the profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from game.profiles.keys import sha256

SAVING_NOTICE_VERSION = "2"
SAVING_NOTICE = (
    "Kept, encrypted under your own secret: your measures, the shape and colours of your body's surface, face "
    "included, and your choice of garments. The camera's pictures are not kept. Purpose: to show you and fit garments "
    "to you when you come back. It is erased on {day}, or as soon as you say so. Nobody can read it without your "
    "secret, and we do not keep that."
)
"""Said before saving, with the day of erasure put in."""

Given = Literal["screen", "command"]
"""By a person at the mirror, or by whoever ran the command."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What was agreed, when, to which text."""

    agreed_at: int
    """Unix time [s]."""
    purposes: tuple[str, ...]
    text_version: str
    text_sha256: str
    """Of the very words that were shown, UTF-8; hexadecimal."""
    language: str
    given: Given

    @classmethod
    def to(
        cls,
        text: str,
        version: str,
        purposes: tuple[str, ...],
        agreed_at: int,
        given: Given = "screen",
        language: str = "en",
    ) -> Consent:
        """Consent to the words `text`."""
        return cls(agreed_at, purposes, version, sha256(text.encode("utf-8")).hex(), language, given)

    def to_json(self) -> dict[str, Any]:
        """As in profile.json."""
        return {
            "agreed_at": self.agreed_at,
            "purposes": list(self.purposes),
            "text_version": self.text_version,
            "text_sha256": self.text_sha256,
            "language": self.language,
            "given": self.given,
        }
