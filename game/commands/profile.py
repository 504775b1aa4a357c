"""`cheval profile ...`: the encrypted profile store."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from game.assets import load_body_model
from game.console import Progress, report, say
from game.profiles.consent import SAVING_NOTICE, SAVING_NOTICE_VERSION, Consent
from game.profiles.errors import StoreError
from game.profiles.folder import FILES, read_scan_folder, write_profile_folder
from game.profiles.location import default_store
from game.profiles.memory import forbid_core_dumps
from game.profiles.private_file import write_private
from game.profiles.secret import Secret
from game.profiles.store import DAY_S, MOST_DAYS, ProfileStore, StoredProfile
from solver.errors import InputError, UsageError

MOST_AGE_BYTES = 32 << 20

EXAMPLES = """examples:
  cheval profile save scan/                      a scan's output; asks for a secret, prints the id
  cheval profile save scan/ --generate           makes a secret of 128 bits and prints it
  cheval profile list
  cheval profile open 3f2a9c01 --out me/         the beginning of an id will do
  cheval profile export 3f2a9c01 me.age          opens with `age --decrypt me.age | tar x`
  cheval profile import me.age --store sqlite:////srv/mirror/profiles.db
  cheval profile rekey 3f2a9c01                  another secret; --reencrypt where the old one leaked
  cheval profile verify 3f2a9c01 --secret-file secret.txt
  cheval profile delete 3f2a9c01
  cheval profile purge"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions of `profile` and their options."""
    _add_common(parser, None)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, run_action: Callable[[argparse.Namespace, ProfileStore], None], text: str, *operands: str):
        chosen = actions.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=_examples_of(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for operand in operands:
            chosen.add_argument(operand.lower().split(".")[0], metavar=operand)
        _add_common(chosen, argparse.SUPPRESS)
        chosen.set_defaults(run_action=run_action)
        return chosen

    action("list", _list, "what is in the store: ids and times, which is all that is in clear")
    save = action("save", _save, "saves a scan's output folder and prints the id", "DIR")
    _add_days(save)
    _add_generate(save)
    open_ = action("open", _open, f"writes {', '.join(FILES)} of a profile", "ID")
    open_.add_argument("--out", type=Path, default=Path("profile"), metavar="DIR", help="where (default: profile)")
    _add_new_secret(action("export", _export, "writes a profile as an age v1 file, to take along", "ID", "FILE.age"))
    import_ = action("import", _import, "saves a profile from an age v1 file and prints the id", "FILE.age")
    _add_days(import_)
    _add_new_secret(import_)
    action("delete", _delete, "erases a profile", "ID")
    rekey = action("rekey", _rekey, "gives a profile another secret", "ID")
    _add_new_secret(rekey)
    kinds = rekey.add_mutually_exclusive_group()
    kinds.add_argument("--add", action="store_true", help="beside the old one, which stays")
    kinds.add_argument("--reencrypt", action="store_true", help="encrypt all of it anew: the old secret has leaked")
    verify = action("verify", _verify, "looks for damage; with an id and its secret file in every byte")
    verify.add_argument("id", nargs="?", metavar="ID", help="only this one")
    action("purge", _purge, "erases what has expired")


def run(arguments: argparse.Namespace) -> int:
    """Does what the action says. Exit status 0; errors carry theirs."""
    forbid_core_dumps()
    arguments.run_action(arguments, ProfileStore(arguments.store or default_store()))
    return 0


def _list(arguments: argparse.Namespace, store: ProfileStore) -> None:
    profiles = store.list()
    report(
        {"store": str(store.path), "profiles": [asdict(profile) for profile in profiles]},
        arguments.json,
        [_line(profile) for profile in profiles] or [f"{store.path}: no profiles"],
    )


def _save(arguments: argparse.Namespace, store: ProfileStore) -> None:
    now = int(time.time())
    expires_at = now + arguments.days * DAY_S
    notice = SAVING_NOTICE.format(day=_day(expires_at))
    model = load_body_model()
    consent = Consent.to(notice, SAVING_NOTICE_VERSION, ("keep",), now, "command")
    profile = read_scan_folder(Path(arguments.dir), model, consent, now, expires_at)
    say(notice)
    with _secret(arguments.secret_file, "new secret", arguments.generate, twice=True) as secret:
        with Progress("sealing") as progress:
            progress(0.1)
            profile_id = store.save(profile, secret)
        _report_saved(arguments, profile_id, expires_at, secret, arguments.generate)


def _open(arguments: argparse.Namespace, store: ProfileStore) -> None:
    with _secret(arguments.secret_file, "secret") as secret, Progress("opening") as progress:
        profile = store.open(arguments.id, secret)
        try:
            progress(0.3, "writing")
            write_profile_folder(arguments.out, profile, load_body_model())
        finally:
            profile.wipe()
    report({"out": str(arguments.out), "files": list(FILES)}, arguments.json, [f"{arguments.out}: {', '.join(FILES)}"])


def _export(arguments: argparse.Namespace, store: ProfileStore) -> None:
    path = Path(arguments.file)
    with ExitStack() as stack:
        secret = stack.enter_context(_secret(arguments.secret_file, "secret"))
        other = _new_secret(arguments)
        passphrase = secret if other is None else stack.enter_context(other)
        write_private(path, store.export_age(arguments.id, secret, passphrase))
        result, lines = _with_secret({"file": str(path)}, passphrase, arguments.generate)
    report(result, arguments.json, [f"{path}: opens with any age program and the passphrase", *lines])


def _import(arguments: argparse.Namespace, store: ProfileStore) -> None:
    path = Path(arguments.file)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_AGE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if len(data) > MOST_AGE_BYTES:
        raise InputError(f"{path}: is too large for a profile; check which file it is")
    with ExitStack() as stack:
        passphrase = stack.enter_context(_secret(arguments.secret_file, f"passphrase of {path.name}"))
        other = _new_secret(arguments)
        secret = passphrase if other is None else stack.enter_context(other)
        profile_id = store.import_age(data, passphrase, secret, arguments.days, str(path))
        expires_at = next(entry.expires_at for entry in store.list() if entry.id == profile_id)
        _report_saved(arguments, profile_id, expires_at, secret, arguments.generate)


def _delete(arguments: argparse.Namespace, store: ProfileStore) -> None:
    store.delete(arguments.id)
    report({"deleted": arguments.id}, arguments.json, [f"profile {arguments.id}: erased"])


def _rekey(arguments: argparse.Namespace, store: ProfileStore) -> None:
    with ExitStack() as stack:
        secret = stack.enter_context(_secret(arguments.secret_file, "old secret"))
        other = _new_secret(arguments) or Secret.prompt("new secret", twice=True)
        new_secret = stack.enter_context(other)
        store.rekey(arguments.id, secret, new_secret, reencrypt=arguments.reencrypt, keep=arguments.add)
        result, lines = _with_secret({"rekeyed": arguments.id}, new_secret, arguments.generate)
    opens = "both secrets open it" if arguments.add else "only the new secret opens it"
    report(result, arguments.json, [f"profile {arguments.id}: {opens}", *lines])


def _verify(arguments: argparse.Namespace, store: ProfileStore) -> None:
    if arguments.secret_file is not None and arguments.id is None:
        raise UsageError("each profile has its own secret; give the id with --secret-file")
    if arguments.secret_file is None:
        seen = store.verify(arguments.id)
    else:
        with Secret.from_file(arguments.secret_file) as secret:
            seen = store.verify(arguments.id, secret)
    damaged = [entry for entry in seen if entry.problem]
    report(
        {"store": str(store.path), "profiles": [asdict(entry) for entry in seen], "damaged": len(damaged)},
        arguments.json,
        [entry.problem or f"profile {entry.id}: whole" for entry in seen] or [f"{store.path}: no profiles"],
    )
    if damaged:
        raise StoreError(
            f"{store.path}: {len(damaged)} of {len(seen)} profiles are damaged; delete or import them again"
        )


def _purge(arguments: argparse.Namespace, store: ProfileStore) -> None:
    gone = store.purge()
    report(
        {"purged": list(gone)}, arguments.json, [f"profile {one}: erased" for one in gone] or ["nothing has expired"]
    )


def _examples_of(action: str) -> str:
    head, *lines = EXAMPLES.splitlines()
    return "\n".join([head, *(line for line in lines if line.split()[2] == action)])


def _add_common(parser: argparse.ArgumentParser, default: Any) -> None:
    """Options that may stand before or after the action."""
    parser.add_argument(
        "--store",
        default=default,
        metavar="PATH or URL",
        help="a file, a folder, file:///path or sqlite:///path (default: in the user's data folder)",
    )
    parser.add_argument(
        "--secret-file",
        type=Path,
        default=default,
        metavar="FILE",
        help="its first line is the secret (else asked for)",
    )
    parser.add_argument("--json", action="store_true", default=default or False, help="print one JSON object on stdout")


def _add_days(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--days",
        type=_days,
        default=MOST_DAYS,
        metavar="N",
        help=f"how long it is kept (default and most: {MOST_DAYS})",
    )


def _add_generate(parser: Any) -> None:
    parser.add_argument("--generate", action="store_true", help="make a secret of 128 bits and print it")


def _add_new_secret(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--new-secret-file", type=Path, metavar="FILE", help="the first line of FILE is the secret of what is written"
    )
    _add_generate(kinds)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to {MOST_DAYS}")
    return int(text)


def _secret(path: Path | None, what: str, generate: bool = False, twice: bool = False) -> Secret:
    if generate:
        if path is not None:
            raise UsageError("--generate makes a secret, --secret-file gives one; choose")
        return Secret.generate()
    return Secret.prompt(what, twice) if path is None else Secret.from_file(path)


def _new_secret(arguments: argparse.Namespace) -> Secret | None:
    if arguments.generate:
        return Secret.generate()
    return None if arguments.new_secret_file is None else Secret.from_file(arguments.new_secret_file)


def _report_saved(
    arguments: argparse.Namespace, profile_id: str, expires_at: int, secret: Secret, generated: bool
) -> None:
    result, lines = _with_secret({"id": profile_id, "expires_at": expires_at}, secret, generated)
    report(result, arguments.json, [profile_id, *lines])


def _with_secret(result: dict[str, Any], secret: Secret, generated: bool) -> tuple[dict[str, Any], list[str]]:
    """A generated secret is shown this once; nobody can find it again."""
    if not generated:
        return result, []
    return {**result, "secret": secret.text}, [f"secret: {secret.text}"]


def _line(profile: StoredProfile) -> str:
    created = "damaged   " if profile.created_at is None else _day(profile.created_at)
    days = f"{created} to {_day(profile.expires_at)}"
    return f"{profile.id}  {days}  {profile.size / 1024:6.0f} KiB  {profile.problem}".rstrip()


def _day(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "no day"
