"""Commands of `vlaudit`, and the one-line message of a command that fails."""

import pytest

from vlaudit.__main__ import COMMANDS, main


def test_scenes_writes_a_picture(tmp_path, capsys):
    out = tmp_path / "scenes.png"
    assert main(["scenes", "--seed", "1", "--rows", "1", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"{out}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "seed must be 0 or more, got -1"),
        (["--rows", "0"], "rows must be 1 or more, got 0"),
        (["--out", "a file/scenes.png"], "cannot be written to a file/scenes.png"),
    ],
)
def test_a_failing_command_prints_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").touch()
    assert main(["scenes", "--rows", "1", "--out", "scenes.png", *arguments]) == 2
    stderr = capsys.readouterr().err
    assert message in stderr
    assert stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["scene"])
    assert stop.value.code == 2
    stderr = capsys.readouterr().err
    assert all(name in stderr for name in COMMANDS)
