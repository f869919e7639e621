from pathlib import Path


def test_the_doctor_says_what_is_wrong_with_keys_of_ones_own(home: Path, cli) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "config.toml").write_text('[keys]\n"task.copy" = "n"\n')
    assert "`n` is the key of both `task.copy` and `hub.new`" in cli("doctor").out
    (home / "config.toml").write_text('[keys]\n"task.copy" = "U"\n')
    assert "1 of your own" in cli("doctor").out
