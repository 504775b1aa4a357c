"""The store of encrypted profiles: one SQLite file. Every call is whole or has not been, whatever interrupts it.

In clear are the ids, when each profile was made and expires, and its size; nothing else. Without the secret of a
profile it can be listed, checked for damage and deleted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection
from uuid import UUID

from game.profiles import age, envelope
from game.profiles.database import Connect, connect_sqlite, empty_log, find_damage, open_database, transaction
from game.profiles.errors import ExpiredError, HeaderCorruptError, NoSuchProfileError, ProfileError, StoreError
from game.profiles.keys import Argon2Cost, KdfLimits, wiped
from game.profiles.location import find_store
from game.profiles.profile import Profile
from game.profiles.secret import Secret
from solver.errors import UsageError

DAY_S = 86_400
MOST_DAYS = 30
"""The longest that a profile is kept; it may be saved again."""
LEAST_PREFIX = 8
"""Letters of an id that may stand for all of it."""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """What is known of a profile without its secret."""

    id: str
    size: int
    """Bytes of the envelope."""
    created_at: int | None
    """Unix time [s]; None where the header is damaged."""
    expires_at: int
    problem: str = ""
    """What is wrong with it, as far as can be seen without the secret."""


class ProfileStore:
    """Profiles, each under its own secret. Safe to call from several threads and programs at once."""

    def __init__(
        self,
        location: str | Path,
        *,
        cost: Argon2Cost | None = None,
        limits: KdfLimits | None = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
        connect: Connect = connect_sqlite,
    ) -> None:
        """The store at `location`: a path or URL as `find_store` takes them. The file is made by the first `save`.

        `clock` gives Unix time [s], `random(n)` gives n unguessable bytes.
        """
        self.path = find_store(location)
        self._cost = cost or Argon2Cost()
        self._limits = limits or KdfLimits()
        self._clock = clock
        self._random = random
        self._connect = connect

    def save(self, profile: Profile, secret: Secret, profile_id: str | None = None) -> str:
        """Seals `profile` and returns its new id, once it is on the disk.

        With `profile_id` it takes the place of that profile, under a fresh data key. Takes 0.5 s for Argon2id. Raises
        `WeakSecretError`, `StoreError`, `NoSuchProfileError`, `UsageError` where it would be kept for over `MOST_DAYS`.
        """
        secret.check_strength()
        now = int(self._clock())
        if not now < profile.expires_at <= now + MOST_DAYS * DAY_S:
            raise UsageError(f"a profile is kept for 1 to {MOST_DAYS} days; choose another day")
        chosen = UUID(bytes=self._random(16), version=4) if profile_id is None else self._find(profile_id)
        with wiped(profile.encode()) as archive:
            sealed = envelope.seal(
                archive, secret, chosen, profile.created_at, profile.expires_at, self._cost, self._random
            )
        with open_database(self.path, self._connect) as database:
            with transaction(database):
                if profile_id is None:
                    database.execute("INSERT INTO profile VALUES (?, ?, ?)", (chosen.bytes, profile.expires_at, sealed))
                else:
                    self._replace(database, chosen, profile.expires_at, sealed)
            if profile_id is not None:
                empty_log(database, self.path)
        return str(chosen)

    def open(self, profile_id: str, secret: Secret) -> Profile:
        """The profile. Call `Profile.wipe` when done. Takes 0.5 s.

        Raises `NoSuchProfileError`, `ExpiredError`, `WrongSecretOrTamperedError` and the errors of damaged files.
        """
        chosen, sealed = self._read(profile_id)
        return Profile.decode(self._unseal(chosen, sealed, secret), _name(chosen))

    def list(self) -> tuple[StoredProfile, ...]:
        """All profiles, the first to expire first."""
        if not self.path.exists():
            return ()
        with open_database(self.path, self._connect) as database:
            rows = database.execute(
                "SELECT id, expires_at, length(envelope), substr(envelope, 1, ?) FROM profile ORDER BY expires_at, id",
                (envelope.HEADER_AT_MOST,),
            ).fetchall()
        return tuple(self._describe(UUID(bytes=row[0]), *row[1:]) for row in rows)

    def delete(self, profile_id: str) -> None:
        """Erases a profile: its row, the pages it lay on, the log.

        Raises `NoSuchProfileError`; `ErasurePendingError` where the log is in use.
        """
        chosen = self._find(profile_id)
        with open_database(self.path, self._connect) as database:
            with transaction(database):
                if database.execute("DELETE FROM profile WHERE id = ?", (chosen.bytes,)).rowcount == 0:
                    raise NoSuchProfileError(f"{_name(chosen)}: there is none; see `cheval profile list`")
            empty_log(database, self.path)

    def purge(self, now: float | None = None) -> tuple[str, ...]:
        """Erases what has expired at `now` (Unix time [s]; default: the clock) and returns the ids.

        Also empties the log of what was erased before. Raises `ErasurePendingError` where the log is in use.
        """
        if not self.path.exists():
            return ()
        limit = self._clock() if now is None else now
        with open_database(self.path, self._connect) as database:
            with transaction(database):
                gone = [
                    entry
                    for row in database.execute(
                        "SELECT id, expires_at, length(envelope), substr(envelope, 1, ?) FROM profile",
                        (envelope.HEADER_AT_MOST,),
                    ).fetchall()
                    if (entry := self._describe(UUID(bytes=row[0]), *row[1:])).expires_at <= limit
                ]
                for entry in gone:
                    database.execute("DELETE FROM profile WHERE id = ?", (UUID(entry.id).bytes,))
            empty_log(database, self.path)
        return tuple(entry.id for entry in gone)

    def rekey(
        self, profile_id: str, secret: Secret, new_secret: Secret, *, reencrypt: bool = False, keep: bool = False
    ) -> None:
        """Lets `new_secret` open the profile instead of `secret`, or beside it where `keep` says so.

        The data key is wrapped anew. `reencrypt` is for a secret that leaked: a fresh data key, `new_secret` the only
        one. The new envelope is opened once before it takes the place of the old.
        """
        if reencrypt and keep:
            raise UsageError("a secret that leaked is not to be kept; choose --reencrypt or --add")
        new_secret.check_strength()
        chosen, sealed = self._read(profile_id)
        name = _name(chosen)
        if reencrypt:
            header = envelope.read_header(sealed, self._limits, name)
            with wiped(self._unseal(chosen, sealed, secret)) as archive:
                renewed = envelope.seal(
                    archive, new_secret, chosen, header.created_at, header.expires_at, self._cost, self._random
                )
        else:
            renewed = envelope.rewrap(sealed, secret, new_secret, keep, self._cost, self._random, self._limits, name)
        with wiped(self._unseal(chosen, renewed, new_secret)):
            header = envelope.read_header(renewed, self._limits, name)
        with open_database(self.path, self._connect) as database:
            with transaction(database):
                self._replace(database, chosen, header.expires_at, renewed, sealed)
            empty_log(database, self.path)

    def verify(self, profile_id: str | None = None, secret: Secret | None = None) -> tuple[StoredProfile, ...]:
        """Looks for damage: the SQLite file, headers, lengths, checksums; with `secret` every chunk of `profile_id`.

        Returns what was looked at, with the problem found, if any. Raises `NoSuchProfileError`, `StoreError`.
        """
        if not self.path.exists() and profile_id is None:
            return ()
        chosen = None if profile_id is None else self._find(profile_id)
        with open_database(self.path, self._connect) as database:
            if damage := find_damage(database):
                raise StoreError(f"{self.path}: the store is damaged ({damage[0]}); put back a copy or delete it")
            # One envelope at a time: all of them may be larger than the memory.
            ids = [row[0] for row in database.execute("SELECT id FROM profile ORDER BY expires_at, id")]
            rows = (
                database.execute("SELECT id, expires_at, envelope FROM profile WHERE id = ?", (raw,)).fetchone()
                for raw in ids
                if chosen is None or raw == chosen.bytes
            )
            return tuple(self._examine(UUID(bytes=row[0]), row[1], row[2], secret) for row in rows if row)

    def export_age(
        self, profile_id: str, secret: Secret, passphrase: Secret | None = None, work_factor: int = age.WORK_FACTOR
    ) -> bytes:
        """The profile as an age v1 file under `passphrase` (default: its secret), for the shopper to take along."""
        chosen, sealed = self._read(profile_id)
        with wiped(self._unseal(chosen, sealed, secret)) as archive:
            return age.encrypt(archive, passphrase or secret, work_factor, self._random)

    def import_age(
        self,
        data: bytes,
        passphrase: Secret,
        secret: Secret | None = None,
        days: int = MOST_DAYS,
        name: str = "age file",
    ) -> str:
        """Saves a profile from an age file under `secret` (default: its passphrase) for `days`; returns its new id."""
        profile = Profile.decode(age.decrypt(data, passphrase, self._limits, name), name)
        try:
            renewed = replace(profile, expires_at=int(self._clock()) + days * DAY_S)
            return self.save(renewed, secret or passphrase)
        finally:
            profile.wipe()

    def _find(self, text: str) -> UUID:
        """The profile that an id or its beginning means."""
        letters = text.strip().lower().replace("-", "")
        if len(letters) >= LEAST_PREFIX and set(letters) <= set("0123456789abcdef") and self.path.exists():
            with open_database(self.path, self._connect) as database:
                rows = database.execute(
                    "SELECT id FROM profile WHERE substr(lower(hex(id)), 1, ?) = ? LIMIT 2", (len(letters), letters)
                ).fetchall()
            if len(rows) == 1:
                return UUID(bytes=rows[0][0])
            if rows:
                raise NoSuchProfileError(f"profile {text}: more than one begins so; give the whole id")
        raise NoSuchProfileError(f"profile {text[:60]}: there is none; see `cheval profile list`")

    def _read(self, profile_id: str) -> tuple[UUID, bytes]:
        """An envelope that has not expired and belongs to its row."""
        chosen = self._find(profile_id)
        with open_database(self.path, self._connect) as database:
            row = database.execute("SELECT expires_at, envelope FROM profile WHERE id = ?", (chosen.bytes,)).fetchone()
        name = _name(chosen)
        if row is None:
            raise NoSuchProfileError(f"{name}: there is none; see `cheval profile list`")
        header = envelope.read_header(row[1], self._limits, name)
        if header.profile_id != chosen:
            raise HeaderCorruptError(f"{name}: another profile lies in its place; delete it")
        if min(header.expires_at, row[0]) <= self._clock():
            raise ExpiredError(f"{name}: the time that was agreed to is over; scan again")
        return chosen, row[1]

    def _unseal(self, profile_id: UUID, sealed: bytes, secret: Secret) -> bytearray:
        return envelope.unseal(sealed, secret, self._limits, _name(profile_id))

    def _replace(
        self, database: Connection, profile_id: UUID, expires_at: int, sealed: bytes, expected: bytes | None = None
    ) -> None:
        """Puts `sealed` in its place; with `expected`, only where nobody else did so meanwhile."""
        row = database.execute("SELECT envelope FROM profile WHERE id = ?", (profile_id.bytes,)).fetchone()
        if row is None:
            raise NoSuchProfileError(f"{_name(profile_id)}: there is none; see `cheval profile list`")
        if expected is not None and row[0] != expected:
            raise StoreError(f"{_name(profile_id)}: another program changed it meanwhile; try again")
        database.execute(
            "UPDATE profile SET expires_at = ?, envelope = ? WHERE id = ?", (expires_at, sealed, profile_id.bytes)
        )

    def _describe(self, profile_id: UUID, expires_at: int, size: int, head: bytes) -> StoredProfile:
        try:
            header = envelope.read_header(head, self._limits, _name(profile_id))
        except ProfileError as error:
            return StoredProfile(str(profile_id), size, None, expires_at, str(error))
        problem = ""
        if header.profile_id != profile_id:
            problem = f"{_name(profile_id)}: another profile lies in its place; delete it"
        # The earlier of the two: nobody can make a profile stay by writing into the row.
        return StoredProfile(str(profile_id), size, header.created_at, min(expires_at, header.expires_at), problem)

    def _examine(self, profile_id: UUID, expires_at: int, sealed: bytes, secret: Secret | None) -> StoredProfile:
        entry = self._describe(profile_id, expires_at, len(sealed), sealed[: envelope.HEADER_AT_MOST])
        if entry.problem:
            return entry
        try:
            envelope.check(sealed, self._limits, _name(profile_id))
            if secret is not None:
                Profile.decode(self._unseal(profile_id, sealed, secret), _name(profile_id)).wipe()
        except ProfileError as error:
            return replace(entry, problem=str(error))
        return entry


def _name(profile_id: UUID) -> str:
    return f"profile {str(profile_id)[:LEAST_PREFIX]}"
