"""Where the store lies: a path, a `file:` URL or an `sqlite:` URL."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from solver.errors import UsageError

FILE_NAME = "profiles.db"
# One letter is a drive of Windows, not a scheme.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def default_store() -> Path:
    """In the user's data folder, as the system has it."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "cheval" / FILE_NAME


def find_store(location: str | Path) -> Path:
    """The file that `location` means; a folder means `profiles.db` in it.

    `file:///absolute/path` (RFC 8089) and, as SQLAlchemy writes them, `sqlite:///relative.db` and
    `sqlite:////absolute.db`. Raises `UsageError` for other URLs.
    """
    path = Path(location) if isinstance(location, Path) else _from_text(location)
    return path / FILE_NAME if path.is_dir() else path


def _from_text(text: str) -> Path:
    if not text:
        raise UsageError("--store is empty; give a path, file:///path or sqlite:///path")
    if not _URL.match(text):
        return Path(text).expanduser()
    url = urlsplit(text)
    refused = UsageError(f"{text}: the store lies in a local file; give a path, file:///path or sqlite:///path")
    if url.scheme not in ("file", "sqlite") or url.query or url.fragment or url.netloc not in ("", "localhost"):
        raise refused
    name = unquote(url.path)
    if "\0" in name or len(name) < 2:
        raise refused
    if url.scheme == "sqlite":
        return Path(name[1:])
    # file:///C:/x is C:/x there.
    return Path(name[1:] if re.match(r"/[A-Za-z]:", name) else name)
