"""A private desktop for tests: a message bus, a screen nobody sees, a real notification daemon.

Everything is started on addresses of its own, waited for by facts, and taken down again; the bus
knows no service files, so that nothing on the machine can be started by it behind our back.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = {
    "Xvfb": "xvfb",
    "dbus-daemon": "dbus",
    "dbus-send": "dbus",
    "dunst": "dunst",
    "dunstctl": "dunst",
    "/usr/lib/notification-daemon/notification-daemon": "notification-daemon",
    "xdotool": "xdotool",
    "import": "imagemagick",
}
NOTIFICATION_DAEMON = "/usr/lib/notification-daemon/notification-daemon"

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
DUNSTRC = """[global]
    width = 460
    height = 220
    origin = top-right
    offset = 20x20
    font = DejaVu Sans 11
    markup = full
    format = "<b>%s</b>\\n%b"
    mouse_left_click = do_action
    dmenu = {picker}
    idle_threshold = 0
"""


def missing(programs: list[str] | None = None) -> str | None:
    """Say which programs the desktop tests lack and how to get them; None when all are here."""
    absent = [name for name in programs or PACKAGES if shutil.which(name) is None]
    if not absent:
        return None
    packages = " ".join(sorted({PACKAGES[name] for name in absent} | {"fonts-dejavu-core"}))
    return (
        f"desktop tests need {', '.join(Path(name).name for name in absent)}: "
        f"apt-get install -y --no-install-recommends {packages}"
    )


def wait_for(fact: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """Return as soon as `fact()` holds; fail with `what` when it never does."""
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    if process.stdout is not None:
        process.stdout.close()


@dataclass
class Bus:
    """A private session bus that can be stopped and started again at the same address."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"unix:path={self.folder / 'bus'}"

    def start(self) -> None:
        config = self.folder / "bus.conf"
        config.write_text(BUS_CONFIG.format(socket=self.folder / "bus"))
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it complains about its own limits in containers
        )
        assert self.process.stdout is not None
        # The line comes when the bus listens.
        assert self.process.stdout.readline(), "dbus-daemon did not start"

    def stop(self) -> None:
        if self.process is not None:
            _stop(self.process)
            self.process = None


@contextlib.contextmanager
def private_bus(folder: Path) -> Iterator[Bus]:
    """Run a message bus with nobody on it."""
    bus = Bus(folder)
    bus.start()
    try:
        yield bus
    finally:
        bus.stop()


@dataclass
class Session:
    """A screen, a bus and a notification daemon; `env` is what a program on it would see."""

    folder: Path
    bus: Bus
    display: str
    env: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *command: str) -> str:
        """Run a program on this desktop and return what it printed."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr or done.stdout}"
        return done.stdout.strip()

    def start_dunst(self) -> subprocess.Popen[bytes]:
        """Start dunst; its action menu picks the line that holds the text of the file `want`."""
        picker = self.folder / "pick.sh"
        menu, want = self.folder / "menu", self.folder / "want"
        picker.write_text(
            f"#!/bin/sh\ntee {shlex.quote(str(menu))} | "
            f'grep -F -m1 -- "#$(cat {shlex.quote(str(want))}) ("\n'
        )
        picker.chmod(0o700)
        config = self.folder / "dunstrc"
        config.write_text(DUNSTRC.format(picker=picker))
        return self._daemon(["dunst", "-conf", str(config)])

    def start_notification_daemon(self) -> subprocess.Popen[bytes]:
        """Start the GNOME daemon that draws real buttons."""
        return self._daemon([NOTIFICATION_DAEMON])

    def _daemon(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "daemon.log").open("ab") as log:
            process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        self.processes.append(process)
        wait_for(self.has_daemon, f"{command[0]} on the bus")
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a daemon and wait until the bus knows."""
        _stop(process)
        self.processes.remove(process)
        wait_for(lambda: not self.has_daemon(), "the daemon's name is free")

    def has_daemon(self) -> bool:
        return "true" in self.run(
            "dbus-send",
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/",
            "org.freedesktop.DBus.NameHasOwner",
            "string:org.freedesktop.Notifications",
        )

    def press(self, label: str) -> None:
        """Choose a button of the newest dunst bubble by its label."""
        (self.folder / "want").write_text(label)
        self.run("dunstctl", "context")

    def shown(self) -> int:
        """How many bubbles dunst has on the screen."""
        return int(self.run("dunstctl", "count", "displayed"))

    def windows(self) -> list[tuple[int, int, int, int]]:
        """Left, top, width and height of every visible bubble of notification-daemon."""
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--class", "notification-daemon"],
            env=self.env,
            capture_output=True,
            text=True,
        ).stdout.split()
        boxes = []
        for window in found:
            said = dict(
                line.split("=", 1)
                for line in self.run("xdotool", "getwindowgeometry", "--shell", window).splitlines()
            )
            boxes.append(tuple(int(said[key]) for key in ("X", "Y", "WIDTH", "HEIGHT")))
        return [box for box in boxes if box[2] > 20 and box[3] > 20]

    def click(self, x: int, y: int) -> None:
        """Move the mouse there and press its left button."""
        self.run("xdotool", "mousemove", str(x), str(y), "click", "1")

    def picture(self, path: Path) -> None:
        """Save what is on the screen."""
        self.run("import", "-window", "root", str(path))


@contextlib.contextmanager
def desktop(folder: Path) -> Iterator[Session]:
    """Run a screen and a bus without a notification daemon yet."""
    with private_bus(folder) as bus:
        read, write = os.pipe()
        screen = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1000x600x24", "-nolisten", "tcp"],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as answer:
            number = answer.readline().strip()  # Xvfb chose a free one, and is ready
        assert number, "Xvfb did not start"
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "DISPLAY": f":{number}",
            "DBUS_SESSION_BUS_ADDRESS": bus.address,
            "XDG_RUNTIME_DIR": str(folder),
            "NO_AT_BRIDGE": "1",
        }
        session = Session(folder, bus, env["DISPLAY"], env)
        try:
            yield session
        finally:
            for process in session.processes:
                _stop(process)
            _stop(screen)
