"""Write reports atomically: a killed run leaves the previous report unchanged."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from vlaudit.errors import UsageError


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name in the same folder and move it to `path`.

    Raises `UsageError` where the folder or the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"the report {path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # moved, or never written
            temporary.unlink()


def check_writable(path: Path) -> None:
    """Raise `UsageError` where a report could not be written to `path`; nothing is left behind but its folder."""
    trial = path.with_name(f".{path.name}.{os.getpid()}.trial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UsageError(f"the report {path} cannot be written: {error.strerror or error}") from error
    if path.is_dir():
        raise UsageError(f"the report {path} cannot be written: it is a folder; name a file")
