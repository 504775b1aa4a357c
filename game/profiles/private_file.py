"""Files for their owner only that appear whole or not at all, also when the power goes."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from game.profiles.keys import Bytes
from solver.errors import InputError


def write_private(path: Path, content: Bytes) -> None:
    """Writes `content` to `path` with mode 0600: temporary file beside it, fsync, rename, fsync of the folder.

    Raises `InputError`; then `path` is what it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
