"""`run` and `add`: what hands work over. Both print the ID and return at once."""

import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskhub_tui.cli import values
from taskhub_tui.cli.output import Output
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import NewTask, Priority, StageSpec
from taskhub_tui.text import clean, one_line

if TYPE_CHECKING:
    from taskhub_tui.domain.playbook import Playbook
    from taskhub_tui.hub import Hub

_LONGEST = 100_000
"""Characters of a request."""


def run(args: Namespace, out: Output) -> int:
    """Hand a command over."""
    from taskhub_tui.env import submit_env

    words = [values.utf8(word, f"word {i} of the command") for i, word in enumerate(args.words, 1)]
    folder = _folder(args.dir)
    secret = values.variables(args.env, os.environ)
    inherited = {n: v for n, v in submit_env(os.environ).items() if n not in secret}
    for name in [name for name, value in inherited.items() if not _is_utf8(value)]:
        del inherited[name]
        out.say(f"{name} is not handed on: its value is not valid UTF-8.", "yellow")
    options: dict[str, Any] = {"env": inherited}
    if args.shell:
        line = " ".join(words)
        options["shell"] = line
    else:
        line = shlex.join(words)
        options["argv"] = words
        _check_program(words[0], folder, {**inherited, **secret})
    if args.pty:
        options["pty"] = True
    new = NewTask(
        request=clean(line, _LONGEST),
        title=one_line(args.name or line, 80),
        agent="command",
        options=options,
        workdir=str(folder),
    )
    return _submit(args, out, new, secret)


def add(args: Namespace, out: Output) -> int:
    """Hand a request over."""
    request = said(args.request, "the request")
    if not request and not args.playbook:
        raise BadInput("There is no request", 'Write it like: taskhub add "what is to be done"')
    options = values.pairs(args.option, "--option")
    if args.file is not None:
        if "file" in options:
            raise BadInput("The file is given twice, by --file and by --option file=…")
        options["file"] = str(_file(args.file))
    new = NewTask(
        request=request or "",
        title=one_line(args.title, 200) if args.title else None,
        agent=args.agent,
        options=options,
        workdir=str(_folder(args.dir)),
        playbook=args.playbook,
    )
    return _submit(args, out, new, values.variables(args.env, os.environ))


def said(text: str | None, what: str) -> str | None:
    """Return `text`, or what standard input holds when it is `-`; cleaned of what is no text."""
    if text == "-":
        if sys.stdin.isatty():
            print(f"Write {what}, then press Ctrl-D:", file=sys.stderr)
        try:
            text = sys.stdin.read(_LONGEST * 4)
        except UnicodeDecodeError:
            raise BadInput(f"The input for {what} is not valid UTF-8") from None
    if text is None:
        return None
    return clean(values.utf8(text, what).strip(), _LONGEST)


def _submit(args: Namespace, out: Output, new: NewTask, secret: Mapping[str, str]) -> int:
    import asyncio

    return asyncio.run(_submitted(args, out, new, secret))


async def _submitted(args: Namespace, out: Output, new: NewTask, secret: Mapping[str, str]) -> int:
    from taskhub_tui.cli import shapes
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli") as hub:
        start = None
        if args.at is not None:
            start = values.moment(args.at, hub.clock())
        elif args.delay is not None:
            start = hub.clock() + values.duration(args.delay, "--in")
        deadline, within = None, None
        if args.deadline is not None:
            deadline, within = values.due(args.deadline, hub.clock(), "--deadline")
        new = replace(
            new,
            priority=Priority[args.priority.upper()],
            after=tuple([await hub.find(prefix) for prefix in args.after]),
            not_before=start,
            deadline=deadline,
            within=within,
        )
        if args.command == "add":
            new = _planned(args, hub, new)
        new = _held_to(args, hub, new)
        task = await hub.submit(new, secret_env=secret or None)
    if out.as_json:
        out.data(shapes.task(task))
    else:
        out.line(task.id)
        out.say(f"{task.title} · {task.agent} · `taskhub show {task.id}`", "dim")
    out.no_worker(hub.trouble)
    return 0


def _planned(args: Namespace, hub: "Hub", new: NewTask) -> NewTask:
    """Add the playbook, the stages and the questions around them that `args` ask for."""
    if args.playbook is not None:
        if args.stage:
            raise BadInput("--stage and --playbook do not go together: each names the stages")
        book = _playbook(hub, args.playbook)
        new = replace(
            new,
            playbook=book.name,
            request=new.request or book.description or book.name,
            title=new.title or (None if new.request else book.name),
            within=book.deadline if args.deadline is None else new.within,
            stages=tuple(_with_options(spec, new) for spec in book.specs()),
        )
    if args.stage:
        new = replace(new, stages=_stages(args, hub, new))
    if args.gate or args.review:
        plan = list(new.stages or hub.plan(new))
        plan[0] = replace(plan[0], gate=plan[0].gate or args.gate)
        plan[-1] = replace(plan[-1], review=plan[-1].review or args.review)
        new = replace(new, stages=tuple(plan))
    return new


def _held_to(args: Namespace, hub: "Hub", new: NewTask) -> NewTask:
    """Give every stage the limits and habits that `args` name."""
    given: dict[str, Any] = {
        name: values.duration(text, f"--{name.replace('_', '-')}")
        for name in ("timeout", "retry_delay", "stall")
        if (text := getattr(args, name)) is not None
    }
    given |= {
        name: value
        for name in ("retries", "on_interrupt")
        if (value := getattr(args, name)) is not None
    }
    if given.get("timeout") == 0:
        raise BadInput("--timeout: no attempt can be done in no time")
    if not given:
        return new
    return replace(new, stages=tuple(replace(s, **given) for s in new.stages or hub.plan(new)))


def _stages(args: Namespace, hub: "Hub", new: NewTask) -> tuple[StageSpec, ...]:
    named = [values.stage(text) for text in args.stage]
    owner = new.agent
    if owner is None and any(agent is None for _, agent in named):
        from taskhub_tui.domain.delegation import choose

        owner = choose(new.request, new.options, hub.agents()).card.name
    return tuple(StageSpec(name=name, agent=agent or owner or "") for name, agent in named)


def _with_options(spec: StageSpec, new: NewTask) -> StageSpec:
    """Let `--option` win over what the playbook says: a stage's options cover the task's.

    Tables are merged, so that one variable of `env` can be given without the others.
    """
    options = dict(spec.options)
    for name, value in new.options.items():
        old = options.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            options[name] = old | value
        elif name in options:
            options[name] = value
    return replace(spec, options=options)


def _playbook(hub: "Hub", given: str) -> "Playbook":
    """Return a playbook given by its file or, where there is no such file, by its name."""
    path = Path(given).expanduser().absolute()
    if path.is_file():
        return hub.read_playbook(path)
    files = list(hub.playbooks())
    for file in files:
        if given in (file.playbook.name, file.path.stem):
            return file.playbook
    names = ", ".join(f"`{file.path.stem}`" for file in files) or "none"
    raise BadInput(
        f"There is no playbook `{given}`: no file of this path and none of this name",
        f"Known by name: {names}",
    )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _folder(given: str | None) -> Path:
    try:
        path = Path(given).expanduser().absolute() if given is not None else Path.cwd()
    except FileNotFoundError:
        raise BadInput("The folder you are in has been removed", "Name another with -C") from None
    if not path.is_dir():
        raise BadInput(f"-C: {path} is not a folder")
    values.utf8(str(path), "the folder")
    return path


def _file(given: str) -> Path:
    path = Path(given).expanduser().absolute()
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise BadInput(f"--file: {path} {what}")
    return Path(values.utf8(str(path), "--file"))


def _check_program(name: str, folder: Path, env: Mapping[str, str]) -> None:
    """Say now what the worker could only say later: that there is no such program.

    Raises:
        BadInput: it is neither a file that may be run nor on the path.
    """
    if not name:
        raise BadInput("The command is empty")
    if "/" not in name:
        import shutil

        if shutil.which(name, path=env.get("PATH", os.defpath)) is None:
            raise BadInput(
                f"There is no program `{name}` on the path",
                "Name its file, as in ./long.sh, or use --shell for words of the shell",
            )
        return
    path = folder / Path(name).expanduser()
    if not path.exists():
        raise BadInput(f"There is no file {path}")
    if not path.is_file():
        raise BadInput(f"{path} is not a program")
    if not os.access(path, os.X_OK):
        raise BadInput(f"{path} may not be run", f"Allow it with: chmod +x {shlex.quote(name)}")
