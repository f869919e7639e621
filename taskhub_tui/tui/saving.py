"""Saving a copy of a file or a folder that an agent has made: whole, or not at all."""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path

from taskhub_tui import regular


class CannotSave(Exception):
    """It was not saved, and nothing is left of the attempt; says why in a sentence."""


_WHY = {
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.EROFS: "nothing can be written there",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "it is too large for that disk",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ELOOP: "its links lead in a circle",
    errno.EINVAL: "that disk does not take this name",
}


def target(source: Path, folder: str, typed: str) -> Path:
    """Return where a copy of `source` goes when `typed` is asked for; relative to `folder`.

    Raises:
        CannotSave: no file can be there.
    """
    if "\0" in typed:
        raise CannotSave("A path has no zero byte in it")
    try:
        path = Path(folder).expanduser() / Path(typed).expanduser()
        path = path.absolute()
        if typed.endswith("/") or path.is_dir():
            path /= source.name
        if not path.parent.is_dir():
            what = "is a file, not a folder" if path.parent.exists() else "is not there"
            raise CannotSave(f"The folder {path.parent} {what}. Make it first, or name another")
    except RuntimeError:
        raise CannotSave(f"{typed} names no home folder") from None
    except OSError as error:
        raise _cannot(error) from error
    return path


def taken(source: Path, path: Path) -> bool:
    """Return whether a file would have to be replaced.

    Raises:
        CannotSave: there is something that is never replaced.
    """
    try:
        found = os.lstat(path)
        if not stat.S_ISLNK(found.st_mode) and not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "no file"
            raise CannotSave(f"{path} is there already, and is {what}. Give another name")
        if path.exists() and path.samefile(source):
            raise CannotSave(f"{path} is the file itself. Give another name")
        if source.is_dir():
            raise CannotSave(f"{path} is there already, and is a file. Give another name")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _cannot(error) from error
    return True


def save(source: Path, path: Path, *, over: bool) -> None:
    """Copy a file, or a folder with all that is in it; links in it stay links.

    The copy gets its name when it is whole.

    Args:
        over: replace the file that is there.

    Raises:
        CannotSave: why it was not saved.
    """
    try:
        folder = source.is_dir()
        inside = tempfile.mkdtemp(prefix=".taskhub-", dir=path.parent)
    except OSError as error:
        raise _cannot(error) from error
    part = Path(inside, "part")
    try:
        if folder:
            _copy_folder(source, part, path)
        else:
            _copy(source, part)
        if not over and os.path.lexists(path):
            raise CannotSave(f"{path} is there already")
        if over and path.is_file():
            part.chmod(stat.S_IMODE(path.stat().st_mode))
        if over or folder:
            part.replace(path)
        else:
            _name(part, path)
    except OSError as error:
        raise _cannot(error) from error
    finally:
        shutil.rmtree(inside, ignore_errors=True)


def _copy(source: Path, part: Path) -> None:
    try:
        file = regular.open_regular(source)
    except FileNotFoundError:
        raise CannotSave(f"{source} is not there any more") from None
    except OSError as error:
        raise CannotSave(f"{source} cannot be read: {regular.why(error)}") from error
    with file, part.open("xb") as made:
        shutil.copyfileobj(file, made, 1 << 20)


def _copy_folder(source: Path, part: Path, path: Path) -> None:
    if path.parent.resolve().is_relative_to(source.resolve()):
        raise CannotSave("A folder cannot be saved inside itself")

    def copied(one: str, to: str) -> str:
        # What is raised as an OSError would be gathered, and the rest copied to no purpose.
        try:
            _copy(Path(one), Path(to))
            shutil.copymode(one, to)
        except OSError as error:
            raise _cannot(error) from error
        return to

    try:
        shutil.copytree(source, part, symlinks=True, copy_function=copied)
    except shutil.Error as error:
        told = [str(why) for *_, why in error.args[0]]
        raise CannotSave(f"It cannot be saved whole: {told[0]}") from error


def _name(part: Path, path: Path) -> None:
    """Give a copy its name, unless somebody has taken it meanwhile."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise CannotSave(f"{path} is there already") from None
    except OSError:
        # A disk without links. The place of the name is held first.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise


def _cannot(error: OSError) -> CannotSave:
    why = _WHY.get(error.errno or 0) or regular.why(error)
    return CannotSave(f"It cannot be saved there: {why}")
