"""What sort of file system a folder lies on: a database must lie on a disk of this machine.

SQLite's write-ahead log needs memory that all who use the file share, and locks that hold; over a
network there is neither (https://sqlite.org/wal.html, "Overview", disadvantage 2).
"""

import errno
import os
import re
from pathlib import Path

from taskhub_tui.domain.errors import StoreError

ACCEPT = "TASKHUB_NETWORK_HOME"
"""Variable that, set to 1, lets the database lie on a network file system all the same."""
NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "coda", "ceph", "lustre", "gpfs",
    "beegfs", "glusterfs", "davfs", "ocfs2", "gfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph",
    "fuse.rclone", "fuse.s3fs", "fuse.davfs2", "fuse.gcsfuse", "fuse.juicefs", "fuse.smbnetfs",
})  # fmt: skip
SHARED = frozenset({"9p", "virtiofs", "vboxsf", "prl_fs", "fuse.vmhgfs-fuse", "drvfs"})
"""Folders of a host that a virtual machine sees: sound unless the host uses the file as well."""
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""With which link() fails on a file system that has no second names, such as FAT."""
_MOUNTS = Path("/proc/self/mountinfo")


def kind(folder: Path, mounts: Path = _MOUNTS) -> str:
    """Return the kind of file system `folder` lies on; empty when it is a disk, or not known."""
    try:
        real = folder.resolve()
        while not real.exists():
            real = real.parent
        if os.major(real.stat().st_dev):
            return ""  # A block device: no need to read the list of mounts.
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    found, length = "", -1
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        place = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        # The last of several on one place is the one that is seen.
        if real.is_relative_to(place) and len(place) >= length:
            found, length = after.split()[0], len(place)
    return found


def refuse_network(folder: Path) -> None:
    """Raise StoreError when `folder` lies on a network file system, unless the user accepts it."""
    found = kind(folder)
    if found in NETWORK and os.environ.get(ACCEPT) != "1":
        raise StoreError(
            f"The folder {folder} lies on a network file system ({found}), where the database could"
            " be damaged",
            "Name a folder on a disk of this machine with TASKHUB_HOME, or set"
            f" {ACCEPT}=1 if no other machine ever uses it",
        )


def no_room(error: OSError) -> bool:
    """Return whether a disk is full, or a quota used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def full(folder: Path) -> bool:
    """Return whether nothing more can be written in `folder`; nothing is left there.

    By writing: what a file system says is free need not be there for us.
    """
    try:
        try_to_write(folder)
    except OSError as error:
        return no_room(error)
    return False


def try_to_write(folder: Path) -> None:
    """Write as much as is needed to open a database, and take it back.

    Raises:
        OSError: it cannot be written.
    """
    # Imported here: it takes long, and is needed when something is wrong.
    import tempfile

    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(65536))
        file.flush()
        os.fsync(file.fileno())
