"""Who is let in, how many, for how long; and that nothing is left when it ends."""

import io
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest
from visits import gone, shown

pytestmark = pytest.mark.slow


async def test_only_the_address_that_was_printed_opens_the_door(serve, visiting) -> None:
    served = serve()
    assert served.said["read_only"] is True
    token = served.url.partition("token=")[2]
    assert len(token) >= 32
    async with aiohttp.ClientSession() as client:
        for path in ("/", "/?token=", f"/?token={token[:-1]}x", "/?token=%F0%9F%98%80", "/x/"):
            async with client.get(served.origin + path) as answer:
                assert answer.status in (403, 404), path
                assert "Set-Cookie" not in answer.headers
        for headers in (
            {"Host": "evil.example"},
            {"Host": f"127.0.0.1.evil.example:{served.origin.rpartition(':')[2]}"},
            {"Host": "user@127.0.0.1"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
        ):
            async with client.get(served.url, headers=headers) as answer:
                assert answer.status == 403, headers
                assert "Set-Cookie" not in answer.headers
        async with client.get(served.url, allow_redirects=False) as answer:
            assert answer.status == 303
            assert "token" not in answer.headers["Location"]
            cookie = answer.headers["Set-Cookie"]
            base = answer.headers["Location"].rstrip("/")
        assert {"HttpOnly", "SameSite=Strict", f"Path={base}"} <= set(cookie.split("; "))
        assert token not in cookie
    async with aiohttp.ClientSession() as client, client.get(f"{served.origin}{base}/") as answer:
        assert answer.status == 403, "without the cookie"
    async with visiting(served) as (client, base):
        async with client.get(f"{base}/", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert answer.status == 403
        async with client.post(f"{base}/") as answer:
            assert answer.status == 405


async def test_every_answer_says_how_it_may_be_used(serve, visiting) -> None:
    served = serve()
    async with visiting(served) as (client, base):
        for path in ("/", "/textual.js", "/page.css", "/nothing", "/%2e%2e/conftest.py"):
            async with client.get(base + path) as answer:
                rules = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in rules
                assert "frame-ancestors 'none'" in rules
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.status == (200 if path in ("/", "/textual.js", "/page.css") else 404)
        async with client.get(f"{base}/") as answer:
            page = await answer.text()
    assert "http:" not in page
    assert "https:" not in page
    assert "<script>" not in page


async def test_a_window_is_opened_for_pages_of_ours_only(serve, visiting) -> None:
    served = serve()
    async with visiting(served) as (client, base):
        for headers in (
            {},
            {"Origin": "http://evil.example"},
            {"Origin": "http://127.0.0.1:1"},
            {"Origin": served.origin, "Host": "evil.example"},
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{base}/socket", headers=headers)
            assert refused.value.status == 403, headers
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with aiohttp.ClientSession() as other:
                await other.ws_connect(f"{base}/socket", headers={"Origin": served.origin})
        assert refused.value.status == 403, "without the cookie"
        assert served.windows() == []
        async with client.ws_connect(
            f"{base}/socket?width=100&height=x", headers={"Origin": served.origin}
        ) as window:
            for nonsense in (
                "",
                "{}",
                "[1]",
                '["stdin", 5]',
                '["resize", {"width": "x"}]',
                "[" * 9,
            ):
                await window.send_str(nonsense)
            await shown(window, "TaskHub")
            (process,) = served.windows()
            assert "sh" not in process.cmdline()[0].rpartition("/")[2]
        await gone(process)


async def test_there_are_no_more_windows_than_may_be(serve, visiting) -> None:
    served = serve("--windows", "1")
    async with visiting(served) as (client, base):
        headers = {"Origin": served.origin}
        async with client.ws_connect(f"{base}/socket", headers=headers) as first:
            await shown(first, "TaskHub")
            async with client.ws_connect(f"{base}/socket", headers=headers) as second:
                await shown(second, "1 window is open already")
            assert len(served.windows()) == 1
        await gone(served.windows()[0])
        async with client.ws_connect(f"{base}/socket", headers=headers) as third:
            await shown(third, "TaskHub")


async def test_a_window_in_which_nobody_types_is_closed(serve, visiting) -> None:
    served = serve("--idle", "3s")
    async with visiting(served) as (client, base):
        async with client.ws_connect(f"{base}/socket", headers={"Origin": served.origin}) as window:
            await shown(window, "Nobody pressed a key for 3s")
        for process in served.windows():
            await gone(process)


async def test_ctrl_c_ends_every_window(serve, visiting) -> None:
    served = serve()
    async with visiting(served) as (client, base):
        headers = {"Origin": served.origin}
        async with (
            client.ws_connect(f"{base}/socket", headers=headers) as first,
            client.ws_connect(f"{base}/socket", headers=headers) as second,
        ):
            await shown(first, "TaskHub")
            await shown(second, "TaskHub")
            windows = served.windows()
            assert len(windows) == 2
            code, err = served.end()
        assert code == 0
        assert "Closed 2 windows; the work goes on." in err
        assert not any(map(psutil.Process.is_running, windows))


async def test_windows_end_by_themselves_when_the_server_is_killed(serve, visiting) -> None:
    served = serve()
    async with visiting(served) as (client, base):
        async with client.ws_connect(f"{base}/socket", headers={"Origin": served.origin}) as window:
            await shown(window, "TaskHub")
            (process,) = served.windows()
            served.end(signal.SIGKILL)
        await gone(process)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "is every address of this machine"),
        (["--host", "192.0.2.7"], "other machines reach TaskHub, and nothing is encrypted"),
        (["--host", "192.0.2.7", "--allow-decisions"], "run any command as you"),
        (["--host", "192.0.2.7", "--network"], "Nothing can listen on 192.0.2.7"),
        (["--host", "example.org"], "is not an address"),
        (["--port", "70000"], "is not a port"),
        (["--idle", "never"], "--idle"),
        (["--idle", "0"], "1s at least"),
    ],
)
def test_what_is_not_served_is_a_sentence(home, words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "taskhub_tui", "serve", *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("missing", ["aiohttp", "textual_serve"])
def test_without_its_packages_it_says_how_to_get_them(
    home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    from taskhub_tui.cli import main, serve

    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == missing else True)
    assert main(["serve"]) == 2
    assert "pip install 'taskhub-tui[serve]'" in capsys.readouterr().err


def test_a_port_that_is_taken_is_a_sentence(home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "taskhub_tui", "serve", "--port", port],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"port {port}" in done.stderr


async def test_an_app_that_cannot_start_says_why_in_its_window(serve, visiting, where) -> None:
    served = serve()
    where.config.write_text("theme = 5\n")
    async with (
        visiting(served) as (client, base),
        client.ws_connect(f"{base}/socket", headers={"Origin": served.origin}) as window,
    ):
        text = await shown(window, "theme")
    assert "Traceback" not in text
    code, err = served.end()
    assert code == 0
    assert "A window has ended with an error:" in err


async def test_a_traceback_goes_to_the_log_and_a_sentence_to_the_shell(
    serve, visiting, where, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A mistake of ours, in the process of a window and nowhere else.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'taskhub_tui.serving.session' in sys.orig_argv:\n"
        "    import taskhub_tui.config as config\n"
        "    def broken(): raise RuntimeError('a mistake \\x1b[2J of ours')\n"
        "    config.paths = broken\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    served = serve()
    async with (
        visiting(served) as (client, base),
        client.ws_connect(f"{base}/socket", headers={"Origin": served.origin}) as window,
    ):
        text = await shown(window, "The app has ended with an error.")
    assert "Traceback" not in text
    code, err = served.end()
    assert code == 0
    log = where.home / "serve.log"
    assert f"A window has ended with an error; {log} says more" in err
    assert "Traceback" not in err
    said = log.read_text()
    assert "Traceback" in said
    assert "RuntimeError: a mistake" in said
    assert "\x1b" not in said
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_is_said_and_one_that_is_large_begun_anew(
    tmp_path: Path,
) -> None:
    from taskhub_tui.cli import serve
    from taskhub_tui.cli.output import Output

    err = io.StringIO()
    out = Output(io.StringIO(), err)
    log = tmp_path / "serve.log"
    log.write_text("x" * 1_000_001)
    serve._trouble(out, log, "one\ntwo")
    assert log.read_text().endswith("ended with an error:\none\ntwo\n\n")
    assert log.stat().st_size < 200
    log.unlink()
    log.symlink_to("elsewhere")
    serve._trouble(out, log, "one\ntwo")
    assert f"cannot be written to {log}" in err.getvalue()
    assert not (tmp_path / "elsewhere").exists()
