"""A known failure is that of one criterion, checkpoint, expectation and data set, with a range of values."""

from functools import partial

import pytest

from vlaudit.errors import UsageError
from vlaudit.known_failures import (
    FILE_NAME,
    NO_REASON,
    KnownFailure,
    find_known_failure,
    known_failures_of,
    read_known_failures,
)
from vlaudit.thresholds import read_thresholds

ENTRY = """
[[known_failures]]
criterion = "mirror.side"
model = "albef"
sha256 = "abcd1234abcd1234"
low = 0.4
high = 0.6
why = "because it never saw one"
"""
FINGERPRINT = "sha256:abcd1234abcd1234ef"
find = partial(find_known_failure, expect="desirable", data="scenes")


@pytest.fixture
def weights(tmp_path):
    """A checkpoint next to which a known failure is listed."""
    (tmp_path / FILE_NAME).write_text(ENTRY)
    return tmp_path / "model.safetensors"


def test_entries_apply_to_one_criterion_checkpoint_expectation_and_data_set(weights):
    entries = known_failures_of(weights, FINGERPRINT)
    found = find(entries, "mirror.side", "albef", FINGERPRINT)
    assert (found.low, found.high, found.why) == (0.4, 0.6, "because it never saw one")
    assert find(entries, "mirror.drift", "albef", FINGERPRINT) is None
    assert find(entries, "mirror.side", "uniter", FINGERPRINT) is None
    assert find(entries, "mirror.side", "albef", FINGERPRINT, expect="published") is None
    assert find(entries, "mirror.side", "albef", FINGERPRINT, data="coco") is None


@pytest.mark.parametrize("other", ["sha256:ffff", "sha256:00abcd1234abcd1234ef", "sha256:abcd1234", "abcd1234abcd1235"])
def test_weights_are_named_by_the_start_of_their_fingerprint(weights, other):
    entries = read_known_failures(weights.parent / FILE_NAME)
    assert find(entries, "mirror.side", "albef", "abcd1234abcd1234") is not None
    assert find(entries, "mirror.side", "albef", other) is None


def test_an_entry_states_its_expectation_and_data(tmp_path):
    (tmp_path / FILE_NAME).write_text(f'{ENTRY}expect = "published"\ndata = "coco"\n')
    entries = read_known_failures(tmp_path / FILE_NAME)
    assert find(entries, "mirror.side", "albef", FINGERPRINT) is None
    assert find(entries, "mirror.side", "albef", FINGERPRINT, expect="published", data="coco") is not None


@pytest.mark.parametrize(
    ("outcome", "value", "low", "high", "expected"),
    [
        ("fail", 0.5, 0.45, 0.55, True),
        ("inconclusive", 0.5, 0.3, 0.9, True),
        ("fail", 0.3, 0.2, 0.35, False),
        ("inconclusive", 0.3, 0.2, 0.35, False),
        ("inconclusive", 0.3, 0.1, 0.9, True),  # at few images the value varies, its interval holds the range
        ("pass", 0.59, 0.55, 0.7, True),
        ("pass", 0.65, 0.55, 0.7, False),
        ("error", 0.5, 0.4, 0.6, False),
    ],
)
def test_what_a_known_failure_expects(outcome, value, low, high, expected):
    entry = KnownFailure(criterion="f.c", model="m", sha256="0" * 16, low=0.4, high=0.6, why="a reason that is long")
    assert entry.expects(outcome, value, low, high) is expected


def test_a_thresholds_file_lists_them_in_the_same_form(weights):
    thresholds = read_thresholds(weights.parent / FILE_NAME)
    assert thresholds.known_failures == known_failures_of(weights, FINGERPRINT)


def test_a_folder_of_weights_is_searched_too(weights):
    entries = read_known_failures(weights.parent / FILE_NAME)
    assert known_failures_of(weights.parent, FINGERPRINT) == entries


def test_weights_without_a_file_have_none(tmp_path):
    assert known_failures_of(tmp_path / "model.safetensors", FINGERPRINT) == ()


def test_a_file_for_other_weights_only_is_named_in_a_warning(weights):
    other = "sha256:ffff0000ef"
    with pytest.warns(UserWarning, match=r"known_failures.toml: no entry applies to model.safetensors .*abcd1234"):
        entries = known_failures_of(weights, other)
    assert find(entries, "mirror.side", "albef", other) is None


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("low = 0.4", "low = nan"), 6, "finite number"),
        (("low = 0.4", "low = 0.7"), 2, "low must not be above high, got 0.7 and 0.6"),
        (("high = 0.6\n", ""), 2, "an entry must have low and high, the range of its value"),
        (("low = 0.4\nhigh = 0.6", "limit = 300\nseed = 0"), 2, "no limit or seed: it holds for any"),
        (("low = 0.4", "low = 0.4\nlimit = 300"), 2, "no limit or seed: it holds for any"),
        (("low = 0.4", "low = 0.4\nlmit = 300"), 7, "no key 'lmit'; available: criterion"),
        (('"abcd1234abcd1234"', '"abcd1234"'), 5, "at least 16 characters"),
        (("because", f"{NO_REASON}: because"), 8, f"replace '{NO_REASON}' by the reason"),
        (('why = "', 'expect = "liked"\nwhy = "'), 8, "Input should be 'desirable' or 'published'"),
    ],
)
def test_an_invalid_entry_is_named_with_file_and_line(tmp_path, change, line, message):
    path = tmp_path / FILE_NAME
    path.write_text(ENTRY.replace(*change))
    with pytest.raises(UsageError) as raised:
        read_known_failures(path)
    assert f"{path}, line {line}: " in str(raised.value)
    assert message in str(raised.value)


def test_the_second_of_two_entries_has_a_line_of_its_own(tmp_path):
    path = tmp_path / FILE_NAME
    path.write_text(ENTRY + ENTRY.replace("0.4", "nan"))
    with pytest.raises(UsageError, match="line 14: "):
        read_known_failures(path)
