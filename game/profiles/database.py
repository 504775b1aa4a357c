"""The store's SQLite file: how it is made, opened, migrated and emptied, so that nothing erased stays or comes back.

write-ahead log with synchronous=FULL: a commit is on the disk when it returns, so a power cut neither brings an erased
profile back nor loses a saved one. secure_delete: freed pages are overwritten. Temporary tables live in memory. Every
operation has a connection of its own; when the last one closes, the log is checkpointed and removed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from game.profiles.errors import ErasurePendingError, NewerVersionError, NotProfileError, StoreError

APPLICATION_ID = 0x43485650
"""CHVP."""
BUSY_S = 10.0
"""How long one waits for another program that writes."""
MIGRATIONS: tuple[str, ...] = (
    """CREATE TABLE profile (
        id BLOB PRIMARY KEY NOT NULL CHECK (typeof(id) = 'blob' AND length(id) = 16),
        expires_at INTEGER NOT NULL CHECK (typeof(expires_at) = 'integer'),
        envelope BLOB NOT NULL CHECK (typeof(envelope) = 'blob')
    )""",
)
"""Statement n brings `user_version` n to n + 1. Never edit one that was released; add the next."""

Connect = Callable[[Path], sqlite3.Connection]


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """A plain connection; transactions begin and end where the code says so."""
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)


@contextmanager
def open_database(path: Path, connect: Connect = connect_sqlite) -> Iterator[sqlite3.Connection]:
    """A connection to the store at `path`, which is made (mode 0600) where there is none, and migrated where it is old.

    Raises `StoreError` and its kin, also for what SQLite raises within the block.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives the log and its index the mode of the file.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: the store cannot be opened ({error.strerror}); choose another --store") from error
    database = None
    try:
        database = connect(path)
        _prepare(database, path)
        yield database
    except sqlite3.Error as error:
        raise _translated(error, path) from error
    finally:
        if database is not None:
            database.close()


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of a block or nothing; other writers wait."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def empty_log(database: sqlite3.Connection, path: Path) -> None:
    """Brings the log into the file and cuts it to nothing: what was erased is overwritten in both.

    Raises `ErasurePendingError` where another program still reads the old log.
    """
    deadline = time.monotonic() + BUSY_S
    # SQLite waits for readers by itself, but not for another program's checkpoint.
    while database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > deadline:
            raise ErasurePendingError(
                f"{path}: erased, but another program still reads the log; run `cheval profile purge` when it has ended"
            )
        time.sleep(0.02)


def find_damage(database: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with its file; empty where all is well."""
    return [str(row[0]) for row in database.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    for pragma in ("trusted_schema=OFF", "secure_delete=ON", "synchronous=FULL", "temp_store=MEMORY", "mmap_size=0"):
        database.execute(f"PRAGMA {pragma}")
    # macOS: fsync alone leaves data in the drive's cache.
    database.execute("PRAGMA fullfsync=ON")
    database.execute("PRAGMA checkpoint_fullfsync=ON")
    version = _version(database, path)
    if version == len(MIGRATIONS):
        return
    if database.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
        raise StoreError(f"{path}: this file system takes no write-ahead log; choose a --store on a local disk")
    with transaction(database):
        # Another program may have been first.
        for statement in MIGRATIONS[_version(database, path) :]:
            database.execute(statement)
        database.execute(f"PRAGMA application_id={APPLICATION_ID}")
        database.execute(f"PRAGMA user_version={len(MIGRATIONS)}")


def _version(database: sqlite3.Connection, path: Path) -> int:
    """`user_version`, once the file has been found to be a store, or empty."""
    application, version = (
        int(database.execute(f"PRAGMA {p}").fetchone()[0]) for p in ("application_id", "user_version")
    )
    tables = int(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (application or version or tables):
        raise NotProfileError(f"{path}: this is no Cheval store; check --store")
    if version > len(MIGRATIONS):
        raise NewerVersionError(f"{path}: the store is newer than this program; update Cheval")
    return version


def _translated(error: sqlite3.Error, path: Path) -> StoreError | NotProfileError:
    primary = int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
    if primary == sqlite3.SQLITE_NOTADB:
        return NotProfileError(f"{path}: this is no Cheval store; check --store")
    cures = {
        sqlite3.SQLITE_BUSY: "another program is writing to the store; try again",
        sqlite3.SQLITE_LOCKED: "another program is writing to the store; try again",
        sqlite3.SQLITE_FULL: "the disk is full; make room",
        sqlite3.SQLITE_READONLY: "the store may not be written to; check its permissions",
        sqlite3.SQLITE_CORRUPT: "the store is damaged; put back a copy or delete it",
    }
    return StoreError(f"{path}: {cures.get(primary, f'the store failed ({error}); try again')}")
