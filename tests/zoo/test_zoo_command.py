"""`python -m fixtures.zoo`: wrong usage gives exit code 2 and one line."""

import pytest

from fixtures.zoo.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "alpef"], "must be one that has a recipe"),
        (["evaluate", "alpef"], "must be one that has a recipe"),
        (["card", "alpef"], "must be one that has a recipe"),
        (["train", "albef", "--processes", "0"], "--processes must be at least 1, got 0"),
        (["train", "albef", "--recipe", "nowhere.toml"], "nowhere.toml: cannot read the file"),
        (["evaluate", "albef", "--scenes", "1"], "--scenes must be at least 5, got 1"),
        (["evaluate", "albef", "--checkpoint", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_wrong_usage_is_reported_in_one_line(capsys, arguments, message):
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed


@pytest.mark.parametrize("arguments", [[], ["tain", "albef"], ["train"], ["train", "albef", "--seed", "x"]])
def test_an_unknown_command_prints_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m fixtures.zoo" in capsys.readouterr().err
