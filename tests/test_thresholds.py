"""A thresholds file is checked as a whole, with file and line, and its criteria share the error."""

import re

import pytest

from vlaudit.errors import UsageError
from vlaudit.thresholds import read_thresholds

WHY = 'why = "because a user would want it"'
HEAD = "alpha = 0.05\nrefused_at_most = 0.5\n"
PLAIN = f"""{HEAD}
[desirable.any.scenes.mirror]
competence = {{ at_least = 0.6, {WHY} }}
side = {{ at_least = 0.5, {WHY} }}
drift = {{ at_most = 0.1, {WHY} }}
[desirable.albef.scenes.mirror]
side = {{ at_least = 0.9, {WHY} }}
[desirable.albef.any.heads]
links = {{ within = [0, 1], cases = 7, {WHY} }}
[published.albef.scenes.mirror]
side = {{ at_most = 0.6, {WHY} }}
"""


def write(tmp_path, text):
    path = tmp_path / "thresholds.toml"
    path.write_text(text)
    return path


def test_the_file_that_ships_is_valid():
    assert 0 < read_thresholds().alpha < 1


def test_the_more_particular_table_wins_entry_by_entry(tmp_path):
    thresholds = read_thresholds(write(tmp_path, PLAIN))
    assert thresholds.criterion("albef", "scenes", "mirror", "side", "desirable").at_least == 0.9
    assert thresholds.criterion("uniter", "scenes", "mirror", "side", "desirable").at_least == 0.5
    assert thresholds.criterion("albef", "scenes", "mirror", "drift", "desirable").at_most == 0.1
    assert thresholds.criterion("albef", "scenes", "mirror", "side", "published").at_most == 0.6
    assert thresholds.competence("albef", "scenes", "mirror") == 0.6
    assert thresholds.competence("albef", "coco", "mirror") is None


def test_criteria_share_the_error_whatever_is_selected(tmp_path):
    """2 of mirror and 7 cases of heads; the competence is no criterion."""
    thresholds = read_thresholds(write(tmp_path, PLAIN))
    assert thresholds.count("albef", "scenes", "desirable") == 9
    assert thresholds.criterion("albef", "scenes", "mirror", "side", "desirable").alpha == pytest.approx(0.05 / 9)
    assert thresholds.count("uniter", "scenes", "desirable") == 2


def test_a_parametrized_test_reads_the_plain_entry(tmp_path):
    criterion = read_thresholds(write(tmp_path, PLAIN)).criterion(
        "albef", "coco", "heads", "links[people]", "desirable"
    )
    assert (criterion.id, criterion.within) == ("heads.links[people]", (0, 1))


def test_what_the_file_does_not_say_is_asked_for(tmp_path):
    with pytest.raises(UsageError, match=re.escape("nothing is said about mirror.tilt for albef on scenes")):
        read_thresholds(write(tmp_path, PLAIN)).criterion("albef", "scenes", "mirror", "tilt", "desirable")


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("at_least = 0.5", "atleast = 0.5"), 6, "Extra inputs are not permitted"),
        (("at_least = 0.5", 'at_least = "much"'), 6, "should be a valid number"),
        (("at_least = 0.5", "at_least = 0.5, at_most = 1"), 6, "exactly one of at_least, at_most, within"),
        (("at_least = 0.5, ", ""), 6, "got none"),
        (("[0, 1]", "[1, 0]"), 11, "needs a < b"),
        ((WHY, 'why = "short"'), 5, "at least 10 characters"),
        (("alpha = 0.05", "alpha = 5"), 1, "less than 1"),
        (("cases = 7", "cases = 0"), 11, "greater than or equal to 1"),
        (("refused_at_most", "refused"), 2, "refused"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(tmp_path, change, line, message):
    path = write(tmp_path, PLAIN.replace(*change, 1))
    with pytest.raises(UsageError) as raised:
        read_thresholds(path)
    assert message in str(raised.value)
    assert f"{path}, line {line}: " in str(raised.value)


def test_what_is_no_toml_is_said_so(tmp_path):
    with pytest.raises(UsageError, match=r"not TOML: .*line 1"):
        read_thresholds(write(tmp_path, "alpha = = 3\n"))
    with pytest.raises(UsageError, match="could not be read"):
        read_thresholds(tmp_path / "none.toml")


def test_a_known_failure_is_that_of_one_checkpoint_and_run(tmp_path):
    run = 'criterion = "mirror.side"\nmodel = "albef"\nsha256 = "abcd1234"\nlimit = 300\nseed = 0\n'
    known = f"[[known_failures]]\n{run}{WHY}\n"
    thresholds = read_thresholds(write(tmp_path, PLAIN + known))
    assert thresholds.known_failure("mirror.side", "albef", "sha256:abcd1234ef", 300, 0)
    for other in (
        ("mirror.drift", "albef", "sha256:abcd1234", 300, 0),
        ("mirror.side", "albef", "sha256:ffff", 300, 0),
    ):
        assert thresholds.known_failure(*other) is None
    assert thresholds.known_failure("mirror.side", "albef", "sha256:abcd1234", 299, 0) is None
