"""Files that are written whole or not at all. Imports nothing of ours."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Any


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all: beside the old one, and in its place when it is complete and on the disk.

    A link stays a link, and the file it leads to is the new one. A file keeps its permissions; one that was not there
    gets the usual ones. One that may not be written is refused.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "notes.txt")
    >>> replace_file(path, b"all of it")
    >>> path.read_bytes()
    b'all of it'
    """
    target = os.path.realpath(path)
    old = _state(target)
    if old is not None and not stat.S_ISREG(old.st_mode):  # a device, a pipe; of a folder this says what it is
        with open(target, "wb") as file:
            file.write(content)
        return
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(f"{os.fspath(path)} may not be written: its permissions say so")
    temporary = os.path.join(os.path.dirname(target), f".{os.urandom(8).hex()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # the system takes away what the umask says; what the old file hides is never to be seen in the new one
    mode = 0o666 if old is None else stat.S_IMODE(old.st_mode) & 0o666
    try:
        with open(os.open(temporary, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            _like(temporary, old)
        os.replace(temporary, target)  # also on Windows, where the file must be closed before
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _state(path: str) -> Any:
    """Return what the system knows of a file, None if there is none."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _like(path: str, old: Any) -> None:
    """Give a file the owner, if we may, and the permissions that another one has."""
    new = os.stat(path)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid) and hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(path, old.st_uid, old.st_gid)
    os.chmod(path, stat.S_IMODE(old.st_mode))
