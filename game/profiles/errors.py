"""What can be wrong with a profile, an age file or the store. One line each; exit status 3."""

from __future__ import annotations

from solver.errors import InputError


class ProfileError(InputError):
    """Base of what follows."""


class NotProfileError(ProfileError):
    """These bytes are something else."""


class NewerVersionError(ProfileError):
    """Made by a later Cheval."""


class KdfLimitError(ProfileError):
    """The key derivation asks for more memory or time than is allowed. Found before anything is derived."""


class HeaderCorruptError(ProfileError):
    """The header is damaged or breaks the format. Found without the secret."""


class WrongSecretOrTamperedError(ProfileError):
    """No key slot opens, or the header is not what was sealed. The two cannot be told apart, by design."""


class ChunkCorruptError(ProfileError):
    """One chunk of the payload is not what was sealed."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index
        """Which chunk, from 0."""


class TruncatedError(ProfileError):
    """The end is missing."""


class TrailingDataError(ProfileError):
    """Something follows the end."""


class ContentError(ProfileError):
    """Decrypted well, but what was sealed is no profile."""


class OtherBodyModelError(ProfileError):
    """The profile belongs to another body model."""


class UnsupportedRecipientError(ProfileError):
    """An age file for a kind of key that Cheval does not use."""


class TooManySecretsError(ProfileError):
    """All key slots are taken."""


class WeakSecretError(ProfileError):
    """A secret that a machine guesses in days."""


class StoreError(ProfileError):
    """The store cannot be read or written."""


class NoSuchProfileError(ProfileError):
    """No profile has this id."""


class ExpiredError(ProfileError):
    """The time that the shopper agreed to is over; the profile counts as gone."""


class ErasurePendingError(StoreError):
    """Deleted, but another program keeps the write-ahead log, and the old bytes in it, in use."""
