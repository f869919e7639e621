from taskhub_tui.env import submit_env


def test_paths_locale_and_tool_folders_are_passed_on() -> None:
    given = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "XDG_RUNTIME_DIR": "/r",
        "VIRTUAL_ENV": "/v",
        "TZ": "UTC",
    }
    assert submit_env(given) == given
    assert submit_env({"SSH_AUTH_SOCK": "/s", "XAUTHORITY": "/x"}) == {
        "SSH_AUTH_SOCK": "/s",
        "XAUTHORITY": "/x",
    }


def test_secrets_and_the_unknown_stay_behind() -> None:
    given = {
        "AWS_SECRET_ACCESS_KEY": "x", "OPENAI_API_KEY": "x", "GITHUB_TOKEN": "x", "MINE": "x",
        "CONDA_TOKEN": "x", "XDG_PASSWORD": "x", "LD_PRELOAD": "x", "BASH_ENV": "x",
    }  # fmt: skip
    assert submit_env(given) == {}
