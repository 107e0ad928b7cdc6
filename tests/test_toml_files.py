"""A misspelt key of a TOML file is named with its line and the key that was probably meant."""

import pytest

from vlaudit.errors import UsageError
from vlaudit.thresholds import read_thresholds

ENTRY = '{ at_least = 0.5, why = "a caption must fit" }'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[desirabel.any.any.own]\nx = {ENTRY}", "line 1: no key 'desirabel': did you mean desirable?"),
        (
            f"[desirable.any.any.own]\nx = {ENTRY.replace('at_least', 'atleast')}",
            "line 2: desirable.any.any.own.x: no key 'atleast': did you mean at_least?",
        ),
        (
            f"[desirable.any.any.own]\nx = {ENTRY.replace('why', 'wy')}",
            "line 2: desirable.any.any.own.x: no key 'wy': did you mean why?",  # before that why is missing
        ),
        (f"[own.x]\nat_least = 0.5\n[desirable.any.any.own]\nx = {ENTRY}", "line 1: no key 'own'; available: "),
        ("[desirable.any.any.own]\nat_least = 0.5", "line 2: desirable.any.any.own.at_least: Input should be a table"),
    ],
)
def test_the_first_message_names_the_mistake(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        read_thresholds(path)
    assert str(raised.value).startswith(f"--thresholds {path}, {message}")
