"""Write reports atomically: a run that is killed, or finds the disk full, leaves the previous report unchanged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from vlaudit.errors import UsageError


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name in the same folder and move it to `path`.

    Raises `UsageError` where the folder or the file cannot be written.
    """
    write_together([(path, text)])


def write_together(texts: Sequence[tuple[Path, str]], *, replace: bool = True) -> list[Path]:
    """Write the files of one report under temporary names, move them together, and return their paths.

    Two runs with the same paths never mix their files: the last one replaces all of them. Without `replace`, files that
    exist stay, and all files get names of their own (`interrupted_name`). Raises `UsageError` where one cannot be
    written; earlier files are then unchanged.
    """
    paths = [path for path, _ in texts]
    with ExitStack() as stack:
        temporary = [stack.enter_context(_temporary(path, text)) for path, text in texts]
        for folder in sorted({path.parent for path in paths}):
            stack.enter_context(_locked(folder))
        if not replace and any(map(os.path.lexists, paths)):
            paths = list(map(interrupted_name, paths))
        for one, path in zip(temporary, paths, strict=True):
            with _reported(path):
                one.replace(path)
    return paths


def interrupted_name(path: Path) -> Path:
    """Return the path of an incomplete report next to a complete one.

    >>> interrupted_name(Path("reports/albef.html")).name
    'albef.interrupted.html'
    """
    return path.with_name(f"{path.stem}.interrupted{path.suffix}")


def check_writable(path: Path) -> None:
    """Raise `UsageError` where a report could not be written to `path`; nothing is left behind but its folder."""
    if path.is_dir():
        raise UsageError(f"the report {path} cannot be written: it is a folder; name a file")
    if path.exists() and not path.is_file():
        raise UsageError(f"the report {path} cannot be written: it is a device or a pipe; name a file")
    with _temporary(path, ""):
        pass


@contextmanager
def _temporary(path: Path, text: str) -> Iterator[Path]:
    """Write a file that no other run has, in the folder of `path`; it is removed unless it was moved."""
    temporary = path.with_name(f".vlaudit-{uuid4().hex}.tmp")
    try:
        with _reported(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8", newline="\n")
        yield temporary
    finally:
        with suppress(OSError):  # moved, or never written
            temporary.unlink()


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        file = next((one for one in path.parents if one.exists() and not one.is_dir()), None)
        reason = f"{file} is a file, not a folder; move it, or name another path" if file else error.strerror or error
        raise UsageError(f"the report {path} cannot be written: {reason}") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, where the system has one; without it two runs could mix their files."""
    try:
        import fcntl  # noqa: PLC0415 (POSIX only)

        opened = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with suppress(OSError):  # some network file systems cannot lock a folder
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
