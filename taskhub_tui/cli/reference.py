"""Prints docs/cli.md: `python -m taskhub_tui.cli.reference > docs/cli.md`."""

import argparse

from taskhub_tui.cli.parser import ABOUT, EXITS, commands, parser, summaries

_HEAD = f"""\
<!-- Made by `python -m taskhub_tui.cli.reference`; a test fails when it is stale. -->
# The command line

{ABOUT}
`taskhub` without a command opens the hub. Data goes to standard output, talk to standard error;
nothing is coloured unless it is read on a terminal.

"""
_TAIL = """\
## JSON

`--json` prints data for programs. Keys that are there stay: new ones may come. Times are ISO 8601
strings in UTC (`2031-05-04T08:30:00.000Z`), durations are seconds, unknown is `null`.

| command | prints |
|---|---|
| `run`, `add` | one task |
| `list`, `wait` | an array of tasks |
| `show`, `decide` and its short forms, `pause`, `resume` | one task with `request`, `options`, \
`context`, `after`, `stage_list`, `blocker`, `artifacts`, `legal`; `events` with `--events` |
| `logs` | one object a line: `at`, `stream`, `text` |
| `watch` | one task a line for each change, four times a second at most; `blocker` where it asks |
| `open` | `id` and the `path` of the result |
| `inbox` | an array of what waits: `task`, `need`, `since`, `due`, `risk`, `blocker`, `legal`, … |
| `audit` | an array, the newest first: `at`, `what` (`decided`, `refused`, `asked again`, \
`started`, `rule made`, `rule revoked`), `task`, `action`, `by`, `channel`, `from`, `text`, \
`question`, `shown`, `rule`, … |
| `rules` | an array: `id`, `scope`, `value`, `by`, `created`, `revoked`, `uses`, `used`, … |
| `notifications`, `agents`, `playbooks` | an array |
| `serve` | `url`, `read_only` |
| `worker --status` | an array of workers; `--stop`: how many were `asked` |
| `backup` | `path`, `made` and `size` of the copy, and whether all in it is `sound`; `--list`: \
an array of them |
| `restore` | `copy`, `aside` (where the replaced file is, or `null`), and how many were `paused`; \
what is `damaged` in it, or `null`, and `notes` |
| `prune` | `deleted`, `tasks`, `events`, `log_bytes`, `run_folders`, `bytes` |
| `compact` | bytes `before` and `after` |
| `export` | one object a line, with or without `--json`; see [care](care.md) |
| `import` | `imported`, `tasks`, `skipped` (IDs), how many were `paused`, and `notes` |
| `doctor` | an array of `name`, `state` (`ok`, `warn`, `fail`), `message`, `remedy` |

A task has `id`, `title`, `status`, `waiting_on`, `agent`, `playbook`, `priority`, `owner`,
`stage` (position, from 0), `stages` (how many), `stage_name`, `fraction`, `note`, `eta`,
`created`, `changed`, `started`, `ended`, `not_before`, `deadline`, `silent_since`, `workdir`,
`error`, `summary`, `result`. `waiting_on` is `dependency`, `schedule`, `retry`, `provider` (it has
set a limit; `not_before` is when the task goes on), `limit` (no free slot), or `user`.

With `--json`, too, an error is a sentence on standard error, and the exit code says its kind.

## Completion

```sh
source <(taskhub completion bash)      # in ~/.bashrc
source <(taskhub completion zsh)       # in ~/.zshrc, after compinit
taskhub completion fish | source       # in ~/.config/fish/config.fish
```
"""


def markdown() -> str:
    """Return the whole page."""
    top = parser()
    about = summaries(top)
    parts = [_HEAD, _options(top)]
    parts.append("| command | |\n|---|---|\n")
    parts += [f"| [`{name}`](#{name}) | {text} |\n" for name, text in about.items()]
    parts.append(f"\n```text\n{EXITS}\n```\n\n")
    for name, one in commands(top).items():
        parts.append(f"## {name}\n\n{one.description}\n\n```text\n{_usage(one)}\n```\n\n")
        parts.append(_options(one))
    return "".join([*parts, _TAIL])


def _usage(one: argparse.ArgumentParser) -> str:
    """The usage on one line: how argparse breaks lines differs from Python to Python."""
    words = []
    for action in one._actions:
        value = "" if action.nargs == 0 else f" {action.metavar or _choices(action)}"
        if action.option_strings:
            if action.dest != "help":
                many = " …" if action.nargs is None and action.default == [] else ""
                words.append(f"[{action.option_strings[0]}{value}{many}]")
        else:
            name = str(action.metavar or action.dest)
            if name == "COMMAND":
                name = f"-- {name}"
            spelled = {
                "?": f"[{name}]",
                "+": f"{name} …",
                "*": f"[{name} …]",
                argparse.REMAINDER: f"[{name} …]",
            }
            words.append(spelled.get(str(action.nargs), name))
    return " ".join([one.prog, *words])


def _choices(action: argparse.Action) -> str:
    return "|".join(str(choice) for choice in action.choices or ())


def _options(one: argparse.ArgumentParser) -> str:
    rows = []
    for action in one._actions:
        if action.dest == "help" or isinstance(action, argparse._SubParsersAction):
            continue
        value = "" if action.nargs == 0 else str(action.metavar or _choices(action))
        value = value.replace("|", "\\|")
        names = [f"`{flag}{f' {value}' if value else ''}`" for flag in action.option_strings]
        shown = ", ".join(names) or f"`{action.metavar or action.dest}`"
        rows.append(f"| {shown} | {action.help or ''} |\n")
    return "| | |\n|---|---|\n" + "".join(rows) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
