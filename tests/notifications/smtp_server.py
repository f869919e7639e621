"""A mail server on loopback: a real one (aiosmtpd), which can be told to refuse or to be silent."""

import asyncio
import email
import email.policy
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Post:
    """What arrived, and what the server says to the next ones."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.encrypted: list[bool] = []
        self.says: dict[str, str] = {}
        """Command → what is said instead of yes."""
        self.password = b""

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, to: str, _: Any) -> str:
        if "RCPT" in self.says:
            return self.says["RCPT"]
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if "DATA" in self.says:
            return self.says["DATA"]
        self.raw.append(envelope.content)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(envelope.rcpt_tos)
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK queued as Q1"

    def login(self, server: SMTP, session: Any, envelope: Any, how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == self.password, handled=False)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost, which nobody trusts who is not told to."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


@asynccontextmanager
async def serving(
    certificate: tuple[Path, Path] | None = None, *, tls: bool = False, **more: Any
) -> AsyncIterator[Post]:
    """Run a mail server; with a certificate it offers STARTTLS, or speaks TLS at once."""
    post, context = Post(), None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate[1], certificate[0])
    lines: list[asyncio.BaseTransport] = []

    class Server(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            lines.append(transport)
            super().connection_made(transport)

    def make() -> SMTP:
        # What speaks TLS from the start is, to aiosmtpd, not encrypted by itself, and it warns.
        starttls = {"tls_context": context} if context and not tls else {"auth_require_tls": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Server(post, hostname="localhost", authenticator=post.login, **starttls, **more)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context if tls else None)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        for line in lines:
            line.abort()  # also those of a handshake that failed
        await server.wait_closed()
        await asyncio.sleep(0)
