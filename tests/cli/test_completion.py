import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taskhub_tui.cli.completion import described, script
from taskhub_tui.cli.parser import SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_option_is_in_the_script(shell: str) -> None:
    text = script(shell)
    for command in described():
        assert command.name in text
        for word in command.options:
            for flag in word.flags:
                wanted = flag.lstrip("-") if shell == "fish" else flag
                assert wanted in text, (command.name, flag)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_sound_where_the_shell_is_installed(shell: str, cli, tmp_path: Path) -> None:
    said = cli("completion", shell)
    assert said.code == 0
    assert said.out == script(shell)
    if found := shutil.which(shell):
        file = tmp_path / f"taskhub.{shell}"
        file.write_text(said.out)
        done = subprocess.run([found, "-n", str(file)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def bash(home: Path, tmp_path: Path):
    """Returns what bash offers for a line; the last word is the one being typed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    taskhub = folder / "taskhub"
    taskhub.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m taskhub_tui "$@"\n')
    taskhub.chmod(0o755)
    (tmp_path / "completion").write_text(script("bash"))

    def offers(*words: str) -> list[str]:
        code = (
            f'PATH="{folder}:$PATH"; . "{tmp_path}/completion"; COMP_WORDS=(taskhub "$@");'
            "COMP_CWORD=$#; _taskhub; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run(
            ["bash", "-c", code, "bash", *words], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        return done.stdout.split()

    return offers


def test_bash_completes_commands_options_and_values(bash) -> None:
    assert bash("li") == ["list"]
    assert bash("pa") == ["pause"]
    assert bash("wait", "--u") == ["--until"]
    assert bash("wait", "--until", "") == ["over", "blocked"]
    assert bash("add", "x", "--priority", "c") == ["critical"]
    assert bash("decide", "abc", "re") == ["reassign", "retry"]
    assert bash("completion", "") == ["bash", "zsh", "fish"]


def test_bash_completes_files_folders_and_programs(bash) -> None:
    Path("prices.csv").touch()
    Path("folder").mkdir()
    assert bash("add", "--file", "pri") == ["prices.csv"]
    assert bash("add", "-C", "") == ["folder"]
    assert "ls" in bash("run", "--name", "x", "--", "ls")
    assert bash("run", "--", "cat", "pri") == ["prices.csv"]


def test_bash_completes_task_ids_and_agents(still: Path, bash, cli) -> None:
    ids = [cli("run", "--", "ls").out.strip() for _ in range(3)]
    assert sorted(bash("show", "")) == sorted(ids)
    assert bash("wait", ids[0], ids[1]) == [ids[1]]
    assert bash("decide", ids[2]) == [ids[2]]
    assert bash("add", "x", "--after", ids[1]) == [ids[1]]
    assert "command" in bash("add", "x", "--agent", "")


def test_completing_makes_no_hub_and_never_complains(home: Path, cli) -> None:
    for words in (["ids"], ["agents"], ["nonsense"], []):
        said = cli("__complete", *words)
        assert (said.code, said.out, said.err) == (0, "", "")
    assert not home.exists()


def test_an_id_comes_with_what_it_is(still: Path, cli) -> None:
    task_id = cli("run", "--name", "A title", "--", "ls").out.strip()
    assert cli("__complete", "ids").out == f"{task_id}\tpending: A title\n"
