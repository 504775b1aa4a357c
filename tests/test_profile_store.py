"""The store: whole after any crash, silent about who is in it, empty after erasing, shared by programs."""

import multiprocessing
import os
import sqlite3
import struct
import threading
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from game.profiles import database, envelope
from game.profiles.database import connect_sqlite
from game.profiles.errors import (
    ErasurePendingError,
    ExpiredError,
    HeaderCorruptError,
    NewerVersionError,
    NoSuchProfileError,
    NotProfileError,
    StoreError,
    WeakSecretError,
    WrongSecretOrTamperedError,
)
from game.profiles.keys import Argon2Cost
from game.profiles.location import default_store, find_store
from game.profiles.private_file import write_private
from game.profiles.store import DAY_S, ProfileStore
from solver.errors import InputError, UsageError
from tests.profiles import NAME, NOW, make_profile, make_store, same, secret

OLD, NEW = make_profile(1), make_profile(2)
OTHER = "another horse battery"
DIED = 17


@pytest.fixture
def path(tmp_path):
    return tmp_path / "profiles.db"


@pytest.fixture
def store(path):
    return make_store(path)


def raw(path):
    return closing(sqlite3.connect(path, isolation_level=None))


def files_of(path):
    """All bytes that lie in the folder of the store."""
    return b"".join(one.read_bytes() for one in sorted(path.parent.iterdir()))


def test_what_is_saved_is_opened(store, path):
    profile_id = store.save(OLD, secret())
    assert same(store.open(profile_id, secret()), OLD)
    assert same(make_store(path).open(profile_id[:8], secret()), OLD)
    (entry,) = store.list()
    assert (entry.id, entry.created_at, entry.expires_at, entry.problem) == (profile_id, NOW, NOW + 30 * DAY_S, "")


def test_ids_of_nobody(store):
    for text in ("", "3f2a", "3f2a9c01", "x" * 400, "'; DROP TABLE profile"):
        for call in (store.delete, lambda one: store.open(one, secret())):
            with pytest.raises(NoSuchProfileError):
                call(text)
    assert not store.path.exists(), "asking makes no store"
    assert store.list() == store.purge() == store.verify() == ()


def test_a_beginning_that_two_share(path):
    # Of 16 bytes are the id and then the slot's salt, save by save.
    of_16 = iter([b"\x3f" * 16, os.urandom(16), b"\x3f" * 8 + b"\x01" * 8, os.urandom(16)])
    store = make_store(path, random=lambda count: next(of_16) if count == 16 else os.urandom(count))
    first = store.save(OLD, secret())
    store.save(NEW, secret())
    with pytest.raises(NoSuchProfileError, match="more than one"):
        store.delete("3f3f3f3f")
    store.delete(first)
    store.delete("3f3f3f3f")


def test_a_wrong_secret_opens_nothing(store):
    profile_id = store.save(OLD, secret())
    with pytest.raises(WrongSecretOrTamperedError, match=profile_id[:8]):
        store.open(profile_id, secret(OTHER))
    with pytest.raises(WrongSecretOrTamperedError):
        store.rekey(profile_id, secret(OTHER), secret("yet another horse"))


def test_weak_secrets_are_refused(store):
    with pytest.raises(WeakSecretError):
        store.save(OLD, secret("123456"))
    profile_id = store.save(OLD, secret())
    with pytest.raises(WeakSecretError):
        store.rekey(profile_id, secret(), secret("short"))


def test_a_saved_profile_can_take_the_place_of_an_old_one(store, path):
    profile_id = store.save(OLD, secret())
    with raw(path) as db:
        before = db.execute("SELECT envelope FROM profile").fetchone()[0]
    assert store.save(NEW, secret(OTHER), profile_id) == profile_id
    assert same(store.open(profile_id, secret(OTHER)), NEW)
    assert len(store.list()) == 1
    assert before[300:400] not in files_of(path)
    with pytest.raises(NoSuchProfileError):
        store.save(NEW, secret(), "deadbeef00")


def test_rekeying(store, path):
    profile_id = store.save(OLD, secret())

    def sealed():
        with raw(path) as db:
            return db.execute("SELECT envelope FROM profile").fetchone()[0]

    first = sealed()
    store.rekey(profile_id, secret(), secret(OTHER))
    second = sealed()
    assert first[255:] == second[255:], "rewrapped"
    assert same(store.open(profile_id, secret(OTHER)), OLD)
    with pytest.raises(WrongSecretOrTamperedError):
        store.open(profile_id, secret())
    store.rekey(profile_id, secret(OTHER), secret(), keep=True)
    assert same(store.open(profile_id, secret()), OLD)
    assert same(store.open(profile_id, secret(OTHER)), OLD)
    store.rekey(profile_id, secret(), secret("a third one is here"), reencrypt=True)
    third = sealed()
    assert third[255:300] != second[255:300]
    assert same(store.open(profile_id, secret("a third one is here")), OLD)
    for old in (secret(), secret(OTHER)):
        with pytest.raises(WrongSecretOrTamperedError):
            store.open(profile_id, old)
    for gone in (first[117:245], second[117:245], second[300:400]):
        assert gone not in files_of(path)
    with pytest.raises(UsageError):
        store.rekey(profile_id, secret(), secret(OTHER), reencrypt=True, keep=True)


def test_time_runs_out(store, path):
    short = store.save(make_profile(1, days=1), secret())
    long = store.save(make_profile(2, days=30), secret())
    later = make_store(path, now=NOW + DAY_S)
    with pytest.raises(ExpiredError):
        later.open(short, secret())
    with pytest.raises(ExpiredError):
        later.export_age(short, secret())
    assert store.purge(NOW + DAY_S - 1) == ()
    assert later.purge() == (short,)
    assert [entry.id for entry in store.list()] == [long]
    assert store.purge(NOW + 31 * DAY_S) == (long,)


@pytest.mark.parametrize("expires_at", [NOW, NOW - 5, NOW + 30 * DAY_S + 1])
def test_nothing_is_kept_for_ever(store, expires_at):
    with pytest.raises(UsageError):
        store.save(replace(OLD, created_at=0, expires_at=expires_at), secret())


def test_nobody_prolongs_a_profile_by_writing_into_its_row(store, path):
    profile_id = store.save(OLD, secret())
    with raw(path) as db:
        db.execute("UPDATE profile SET expires_at = ?", (NOW + 4000 * DAY_S,))
    assert store.list()[0].expires_at == OLD.expires_at
    with pytest.raises(ExpiredError):
        make_store(path, now=OLD.expires_at).open(profile_id, secret())
    assert store.purge(OLD.expires_at) == (profile_id,)


def test_a_damaged_header_does_not_save_a_profile_from_erasure(store, path):
    profile_id = store.save(OLD, secret())
    with raw(path) as db:
        db.execute("UPDATE profile SET envelope = zeroblob(900)")
    (entry,) = store.list()
    assert entry.created_at is None
    assert "no Cheval profile" in entry.problem
    assert store.purge(OLD.expires_at) == (profile_id,)


def test_damage_is_found_without_the_secret(store, path):
    whole, bent = store.save(OLD, secret()), store.save(NEW, secret())
    with raw(path) as db:
        data = bytearray(
            db.execute("SELECT envelope FROM profile WHERE hex(id) LIKE ?", (bent[:8] + "%",)).fetchone()[0]
        )
        data[-50] ^= 1
        db.execute("UPDATE profile SET envelope = ? WHERE hex(id) LIKE ?", (bytes(data), bent[:8] + "%"))
    problems = {entry.id: entry.problem for entry in store.verify()}
    assert problems[whole] == ""
    assert "damaged" in problems[bent]
    assert store.verify(bent, secret())[0].problem
    assert store.verify(whole, secret())[0].problem == ""
    assert "wrong" in store.verify(whole, secret(OTHER))[0].problem


def test_profiles_that_changed_places_are_found(store, path):
    first, second = store.save(OLD, secret()), store.save(NEW, secret())
    with raw(path) as db:
        rows = dict(db.execute("SELECT id, envelope FROM profile").fetchall())
        one, two = rows
        db.execute("UPDATE profile SET envelope = ? WHERE id = ?", (rows[two], one))
    bent = bytes(one).hex()
    with pytest.raises(HeaderCorruptError, match="another profile"):
        store.open(bent, secret())
    assert sum(bool(entry.problem) for entry in store.verify()) == 1
    assert {entry.id for entry in store.list()} == {first, second}


def test_travelling_as_age(store, path, tmp_path):
    profile_id = store.save(OLD, secret())
    data = store.export_age(profile_id, secret(), secret(OTHER), work_factor=4)
    with pytest.raises(WrongSecretOrTamperedError):
        store.import_age(data, secret())
    there = make_store(tmp_path / "there" / "profiles.db", now=NOW + 5 * DAY_S)
    arrived = there.import_age(data, secret(OTHER), secret(), days=3)
    assert arrived != profile_id
    profile = there.open(arrived, secret())
    assert profile.expires_at == NOW + 8 * DAY_S
    assert profile.created_at == OLD.created_at
    assert same(replace(profile, expires_at=OLD.expires_at), OLD)


def needles():
    """What must never lie in the store in clear."""
    words = [NAME, "1752.2", "1014.7", "chest_girth", "height", "tshirt", "jersey", "measurements", "NUMPY", "consent"]
    arrays = [OLD.rest.vertices, OLD.rest.joints, OLD.vertices, OLD.shape, OLD.vertex_colors, OLD.atlas]
    return [word.encode() for word in words] + [array.tobytes()[:12] for array in arrays]


def test_the_needles_are_in_what_is_sealed():
    archive = bytes(OLD.encode())
    assert all(needle in archive for needle in needles())


def test_no_measure_and_no_name_ever_lies_in_the_store(path):
    """Looked for in every file beside the store, log and all, before every statement."""
    seen = []

    def connect(where):
        connection = connect_sqlite(where)
        connection.set_trace_callback(lambda _: seen.append(files_of(path)))
        return connection

    store = make_store(path, connect=connect)
    profile_id = store.save(OLD, secret())
    store.rekey(profile_id, secret(), secret(OTHER))
    store.rekey(profile_id, secret(OTHER), secret(), reencrypt=True)
    store.save(OLD, secret(), profile_id)
    store.verify(profile_id, secret())
    store.delete(profile_id)
    assert len(seen) > 80
    assert max(map(len, seen)) > 3 * len(OLD.encode()), "the log was looked at too"
    for data in seen:
        for needle in [*needles(), secret().view, secret(OTHER).view]:
            assert bytes(needle) not in data


@pytest.mark.parametrize("how", ["delete", "purge"])
def test_what_is_erased_is_not_there_any_more(store, path, how):
    big = make_profile(3, vertices=4000)
    profile_id = store.save(big, secret())
    kept = store.save(OLD, secret())
    with raw(path) as db:
        data = db.execute("SELECT envelope FROM profile WHERE length(envelope) > 50000").fetchone()[0]
    pieces = [data[i : i + 24] for i in range(0, len(data) - 24, 24)]
    before = files_of(path)
    assert sum(piece in before for piece in pieces) > 0.98 * len(pieces)
    if how == "delete":
        store.delete(profile_id)
    else:
        assert store.purge(big.expires_at - 1) == ()
        with raw(path) as db:
            db.execute("UPDATE profile SET expires_at = 5 WHERE length(envelope) > 50000")
        assert store.purge(6) == (profile_id,)
    after = files_of(path)
    assert not any(piece in after for piece in pieces)
    assert same(store.open(kept, secret()), OLD)
    assert sorted(one.name for one in path.parent.iterdir()) == ["profiles.db"]


def test_erasing_while_another_program_reads(path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    store = make_store(path)
    profile_id = store.save(OLD, secret())
    with raw(path) as reader:
        sealed = reader.execute("SELECT envelope FROM profile").fetchone()[0]
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM profile").fetchone()
        with pytest.raises(ErasurePendingError, match="purge"):
            store.delete(profile_id)
        assert store.list() == (), "it is gone for everybody who looks now"
        assert sealed[300:340] in files_of(path)
        reader.execute("COMMIT")
    store.purge()
    assert sealed[300:340] not in files_of(path)


def test_nobody_else_may_read_it(store, path):
    before = os.umask(0)
    try:
        store.save(OLD, secret())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


# ------------------------------------------------------------------ crashes


def dying(count, kind):
    """A connection that ends the process at its `count`-th statement, or instruction of SQLite's machine."""

    def connect(where):
        connection = connect_sqlite(where)

        def step(*_):
            nonlocal count
            count -= 1
            if count <= 0:
                os._exit(DIED)
            return 0

        if kind == "statement":
            connection.set_trace_callback(step)
        else:
            connection.set_progress_handler(step, 1)
        return connection

    return connect


def crashes(make, act, judge, kind, step=1):
    """Runs `act(store)` in processes that die ever later until one does not; `judge()` looks at what each left."""
    count, ended = 1, None
    while ended != 0:
        path = make()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                act(make_store(path, connect=dying(count, kind)))
                status = 0
            finally:
                os._exit(status)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended in (0, DIED)
        judge(make_store(path), ended == 0)
        count += step
    return count


@pytest.mark.parametrize(("kind", "step"), [("statement", 1), ("instruction", 13)])
@pytest.mark.parametrize("what", ["first save", "save", "replace", "rekey", "reencrypt", "delete", "purge"])
def test_a_crash_leaves_the_old_or_the_new(tmp_path, what, kind, step):
    rng = iter(range(10**6))
    ids = {}
    template = tmp_path / "template.db"
    if what != "first save":
        ids["old"] = make_store(template).save(OLD, secret())
        ids["kept"] = make_store(template).save(make_profile(5, days=9), secret())

    def make():
        path = tmp_path / f"{next(rng)}" / "profiles.db"
        path.parent.mkdir()
        if template.exists():
            path.write_bytes(template.read_bytes())
        return path

    acts = {
        "first save": lambda store: store.save(NEW, secret()),
        "save": lambda store: store.save(NEW, secret()),
        "replace": lambda store: store.save(NEW, secret(OTHER), ids["old"]),
        "rekey": lambda store: store.rekey(ids["old"], secret(), secret(OTHER)),
        "reencrypt": lambda store: store.rekey(ids["old"], secret(), secret(OTHER), reencrypt=True),
        "delete": lambda store: store.delete(ids["kept"]),
        "purge": lambda store: store.purge(NOW + 10 * DAY_S),
    }
    seen = set()

    def opens(store, profile_id, words, profile):
        try:
            return same(store.open(profile_id, secret(words)), profile)
        except WrongSecretOrTamperedError:
            return False

    def judge(store, ended):
        entries = store.verify()
        assert not any(entry.problem for entry in entries)
        there = {entry.id for entry in entries}
        if what in ("first save", "save"):
            fresh = there - set(ids.values())
            assert there >= set(ids.values())
            assert len(fresh) <= 1
            assert all(opens(store, one, secret().text, NEW) for one in fresh)
            new = bool(fresh)
        elif what in ("delete", "purge"):
            assert ids["old"] in there
            new = ids["kept"] not in there
            assert new or opens(store, ids["kept"], secret().text, make_profile(5, days=9))
        else:
            assert there == set(ids.values())
            new = opens(store, ids["old"], OTHER, NEW if what == "replace" else OLD)
            assert new != opens(store, ids["old"], secret().text, OLD), "one of the two, and not both"
        assert new or not ended
        if what != "first save":
            assert opens(store, ids["old"], secret().text, OLD) or what in ("replace", "rekey", "reencrypt")
        seen.add(new)

    count = crashes(make, acts[what], judge, kind, step)
    assert count > 10
    assert seen == {False, True}


@pytest.fixture
def unfinished(tmp_path):
    """A store that was replaced in, killed before the log was brought into the file: (file, log, id)."""
    path = tmp_path / "unfinished" / "profiles.db"
    profile_id = make_store(path).save(OLD, secret())

    def connect(where):
        connection = connect_sqlite(where)
        connection.set_trace_callback(lambda text: os._exit(DIED) if "wal_checkpoint" in text else None)
        return connection

    child = os.fork()
    if child == 0:
        make_store(path, connect=connect).save(NEW, secret(OTHER), profile_id)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DIED
    log = path.with_name("profiles.db-wal").read_bytes()
    assert len(log) > 3 * 4096
    return path.read_bytes(), log, profile_id


def outcome(folder, file, log, profile_id):
    """Which profile a store of these files holds."""
    folder.mkdir()
    (folder / "profiles.db").write_bytes(file)
    (folder / "profiles.db-wal").write_bytes(log)
    store = make_store(folder / "profiles.db")
    assert [entry.problem for entry in store.verify()] == [""]
    for words, profile in ((secret().text, OLD), (OTHER, NEW)):
        try:
            assert same(store.open(profile_id, secret(words)), profile)
        except WrongSecretOrTamperedError:
            continue
        return words
    raise AssertionError("neither")


def test_a_log_that_was_written_in_part(unfinished, tmp_path):
    """The power goes while the log is written: any prefix of it, whole or with a torn end, is the old or the new."""
    file, log, profile_id = unfinished
    frame = 4096 + 24
    cuts = {0, 10, 32, len(log)} | {
        c for n in range(1, 40) for c in (32 + n * frame - 1, 32 + n * frame, 32 + n * frame - 700)
    }
    seen = set()
    for cut in sorted(c for c in cuts if c <= len(log)):
        seen.add((cut == len(log), outcome(tmp_path / f"cut{cut}", file, log[:cut], profile_id)))
        torn = log[: max(0, cut - 512)] + os.urandom(min(cut, 512))
        outcome(tmp_path / f"torn{cut}", file, torn, profile_id)
    assert (False, secret().text) in seen
    assert (True, OTHER) in seen
    assert (False, OTHER) not in seen


def test_a_file_that_was_written_in_part(unfinished, tmp_path):
    """The power goes while the log is brought into the file: pages that the log holds may be anything."""
    file, log, profile_id = unfinished
    pages = {struct.unpack_from(">I", log, at)[0] for at in range(32, len(log) - 23, 4096 + 24)}
    rng = np.random.default_rng(0)
    for trial in range(8):
        torn = bytearray(file)
        for page in pages:
            begin = (page - 1) * 4096 + 512 * int(rng.integers(0, 8))
            end = min(page * 4096, len(file))
            if trial == 0 or rng.random() < 0.6:
                torn[begin:end] = rng.bytes(max(0, end - begin))
        assert len(torn) == len(file)
        assert outcome(tmp_path / f"torn{trial}", bytes(torn), log, profile_id) == OTHER


def test_an_exception_within_a_transaction_undoes_it(store, path):
    profile_id = store.save(OLD, secret())
    with database.open_database(path) as db, pytest.raises(ZeroDivisionError), database.transaction(db):
        len(db.execute("DELETE FROM profile").fetchall()) / 0
    assert same(store.open(profile_id, secret()), OLD)


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_failed_export_leaves_what_there_was(tmp_path, monkeypatch, call):
    path = tmp_path / "me.age"
    write_private(path, b"old")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"os.{call}", fail)
    with pytest.raises(InputError, match="No space left"):
        write_private(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["me.age"]
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("call", "at", "left"), [("fsync", 1, b"old"), ("replace", 1, b"old"), ("fsync", 2, b"new")])
def test_a_crash_while_exporting_leaves_the_old_or_the_new(tmp_path, call, at, left):
    path = tmp_path / "me.age"
    write_private(path, b"old")
    child = os.fork()
    if child == 0:
        calls = iter(range(1, 9))
        original = getattr(os, call)
        setattr(os, call, lambda *arguments: os._exit(DIED) if next(calls) == at else original(*arguments))
        write_private(path, b"new")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DIED
    assert path.read_bytes() == left


# ------------------------------------------------------------------ the file


def test_other_files_are_not_touched(tmp_path):
    text = tmp_path / "notes.db"
    text.write_bytes(b"these are notes, and long ones at that " * 100)
    foreign = tmp_path / "music.db"
    with raw(foreign) as db:
        db.execute("CREATE TABLE songs (name)")
    for path in (text, foreign):
        before = path.read_bytes()
        for call in (
            lambda s: s.list(),
            lambda s: s.save(OLD, secret()),
            lambda s: s.delete("3f2a9c01"),
            lambda s: s.verify(),
        ):
            with pytest.raises(NotProfileError, match=path.name):
                call(make_store(path))
        assert path.read_bytes() == before


def test_a_later_store_is_named(store, path):
    store.save(OLD, secret())
    with raw(path) as db:
        db.execute("PRAGMA user_version=9")
    with pytest.raises(NewerVersionError):
        store.list()


def test_an_old_store_is_migrated_once_and_whole(store, path, monkeypatch):
    profile_id = store.save(OLD, secret())
    more = (
        *database.MIGRATIONS,
        "ALTER TABLE profile ADD COLUMN note TEXT",
        "CREATE INDEX expiry ON profile (expires_at)",
    )
    monkeypatch.setattr(database, "MIGRATIONS", (*more[:-1], "CREATE NONSENSE"))
    with pytest.raises(StoreError):
        store.list()
    with raw(path) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1
        assert "note" not in [row[1] for row in db.execute("PRAGMA table_info(profile)")]
    monkeypatch.setattr(database, "MIGRATIONS", more)
    assert same(store.open(profile_id, secret()), OLD)
    with raw(path) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 3


def test_a_damaged_file_is_named(store, path):
    for n in range(4):
        store.save(make_profile(n, vertices=500), secret())
    data = bytearray(path.read_bytes())
    data[4096:12288] = bytes(8192)
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"profiles\.db"):
        store.verify()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="--store"):
        make_store(tmp_path / "file" / "profiles.db").save(OLD, secret())


def test_durable_settings(path):
    with database.open_database(path) as db:
        settings = {
            p: db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("journal_mode", "synchronous", "secure_delete")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}


# ------------------------------------------------------------------ several at once


def save_some(path, count, barrier):
    barrier.wait()
    store = make_store(path)
    for n in range(count):
        profile_id = store.save(make_profile(n), secret())
        assert same(store.open(profile_id, secret()), make_profile(n))
        store.list()


def test_two_programs_share_a_store(path):
    """From the very first: both make the file."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    programs = [context.Process(target=save_some, args=(path, 12, barrier)) for _ in range(2)]
    for program in programs:
        program.start()
    for program in programs:
        program.join(60)
    assert [program.exitcode for program in programs] == [0, 0]
    entries = make_store(path).verify()
    assert len(entries) == 24
    assert not any(entry.problem for entry in entries)


def test_threads_share_a_store(store):
    profile_id = store.save(OLD, secret())
    failures = []

    def work(n):
        try:
            mine = store.save(make_profile(n), secret())
            assert same(store.open(profile_id, secret()), OLD)
            store.delete(mine)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert [entry.id for entry in store.list()] == [profile_id]


def test_of_two_who_rekey_at_once_one_is_told(store, path, monkeypatch):
    profile_id = store.save(OLD, secret())
    rewrap = envelope.rewrap

    def slow(*arguments):
        monkeypatch.setattr(envelope, "rewrap", rewrap)
        make_store(path).rekey(profile_id, secret(), secret(OTHER))
        return rewrap(*arguments)

    monkeypatch.setattr(envelope, "rewrap", slow)
    with pytest.raises(StoreError, match="meanwhile"):
        store.rekey(profile_id, secret(), secret("yet another horse"))
    assert same(store.open(profile_id, secret(OTHER)), OLD)


# ------------------------------------------------------------------ where it lies


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("profiles.db", "profiles.db"),
        ("some/where.sqlite", "some/where.sqlite"),
        ("file:///var/lib/cheval/p.db", "/var/lib/cheval/p.db"),
        ("file://localhost/var/p%20q.db", "/var/p q.db"),
        ("sqlite:///relative/p.db", "relative/p.db"),
        ("sqlite:////var/p.db", "/var/p.db"),
        ("C:\\profiles.db", "C:\\profiles.db"),
    ],
)
def test_locations(location, path):
    assert str(find_store(location)) == path


@pytest.mark.parametrize(
    "location",
    [
        "",
        "postgres://host/db",
        "http://host/p.db",
        "sqlite://p.db",
        "file://host/p.db",
        "sqlite:///",
        "sqlite:///p.db?mode=ro",
    ],
)
def test_places_that_are_none(location):
    with pytest.raises(UsageError):
        find_store(location)


def test_a_folder_and_the_default(tmp_path, monkeypatch):
    assert find_store(str(tmp_path)) == tmp_path / "profiles.db"
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_store() == tmp_path / "cheval" / "profiles.db"


def test_the_default_cost_is_paid_once(tmp_path):
    """The shipped parameters, for real: 256 MiB and three passes."""
    store = ProfileStore(tmp_path / "p.db", clock=lambda: NOW)
    begin = time.process_time()
    store.save(OLD, secret())
    assert time.process_time() - begin > 0.2
    with raw(store.path) as db:
        (slot,) = envelope.read_header(db.execute("SELECT envelope FROM profile").fetchone()[0]).slots
    assert slot.cost == Argon2Cost(256 * 1024, 3, 4)
    assert len(store.list()) == 1
