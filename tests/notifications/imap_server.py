"""A mailbox on loopback: a real IMAP server (Dovecot); the test puts mails into its folder."""

import asyncio
import contextlib
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

USER, PASSWORD = "hub", "hush-hush-mailbox ü"


@functools.cache
def missing() -> str | None:
    """Say what these tests lack on this machine; None when all is there."""
    dovecot = _dovecot()
    if dovecot is None:
        return "dovecot is not installed (.ci/packages has its name)"
    said = subprocess.run([dovecot, "--version"], capture_output=True, text=True, check=False)
    return None if said.stdout.startswith("2.3") else "dovecot is not of version 2.3"


def _dovecot() -> str | None:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


SETTINGS = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
mail_location = maildir:{folder}/mail
first_valid_uid = 1
default_internal_user = {inner}
default_internal_group = {group}
default_login_user = {login}
disable_plaintext_auth = no
auth_mechanisms = plain {login_too}
ssl = {ssl}
{certificate}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Imap:
    """The server, and what lies in its mailbox."""

    def __init__(self, folder: Path, owner: tuple[int, int]) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self._owner = owner
        self._numbers = itertools.count(1)

    def deliver(self, mail: EmailMessage | bytes, *, ago: float = 0.0) -> None:
        """Put a mail into the mailbox, as a mail server does when one comes in."""
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        name = f"{time.time():.6f}.{next(self._numbers)}.test"
        being_written = self.folder / "mail" / "tmp" / name
        being_written.write_bytes(raw)
        os.chown(being_written, *self._owner)
        came = time.time() - ago
        os.utime(being_written, (came, came))
        being_written.rename(self.folder / "mail" / "new" / name)

    def number_anew(self) -> None:
        """Forget the numbers of the mails, as when a mailbox is put back from a copy."""
        for file in (self.folder / "mail").glob("dovecot*"):
            file.unlink()
        numbers = self.folder / "mail" / "dovecot-uidlist"
        numbers.write_text("3 V77 N1\n")
        os.chown(numbers, *self._owner)

    def mails(self) -> dict[str, bytes]:
        """What lies there, by name and flags."""
        box = self.folder / "mail"
        files = [*(box / "new").iterdir(), *(box / "cur").iterdir()]
        return {file.name.partition(":")[2]: file.read_bytes() for file in files}

    def said(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_text(errors="replace")
        return ""


@asynccontextmanager
async def mailbox(certificate: tuple[Path, Path] | None = None) -> AsyncIterator[Imap]:
    """Run a mail server with one mailbox; with a certificate it speaks TLS as well."""
    folder = Path(tempfile.mkdtemp(prefix="imap-", dir="/tmp"))
    root = os.getuid() == 0
    me = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.getuid())
    imap = Imap(folder, (me.pw_uid, me.pw_gid))
    folder.chmod(0o755)
    for name in ("mail", "mail/cur", "mail/new", "mail/tmp"):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, me.pw_uid, me.pw_gid)
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    (folder / "users").chmod(0o644)
    own = "ssl_min_protocol = TLSv1.2"
    if certificate is not None:
        own += f"\nssl_key = <{certificate[0]}\nssl_cert = <{certificate[1]}"
    (folder / "dovecot.conf").write_text(
        SETTINGS.format(
            folder=folder, port=imap.port, tls_port=imap.tls_port if certificate else 0,
            uid=me.pw_uid, gid=me.pw_gid, certificate=own,
            ssl="yes" if certificate else "no", login_too="login",
            inner="dovecot" if root else me.pw_name,
            login="dovenull" if root else me.pw_name,
            group="dovecot" if root else str(me.pw_gid),
        )
    )  # fmt: skip
    dovecot = _dovecot()
    assert dovecot is not None
    server = await asyncio.create_subprocess_exec(
        dovecot, "-F", "-c", str(folder / "dovecot.conf"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _up(imap, server)
        yield imap
    except BaseException:
        print(imap.said())
        raise
    finally:
        if server.returncode is None:
            server.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await server.wait()
        except TimeoutError:
            server.kill()
            await server.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _up(imap: Imap, server: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(10):
        while True:
            if server.returncode is not None:
                raise AssertionError(imap.said())
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", imap.port)
                assert (await reader.readline()).startswith(b"* OK")
            except (OSError, AssertionError):
                await asyncio.sleep(0.02)
                continue
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return
