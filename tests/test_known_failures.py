"""A known failure is that of one criterion, checkpoint, limit and seed, listed by a user or next to the weights."""

import pytest

from vlaudit.errors import UsageError
from vlaudit.known_failures import FILE_NAME, find_known_failure, known_failures_of, read_known_failures
from vlaudit.thresholds import read_thresholds

ENTRY = """
[[known_failures]]
criterion = "mirror.side"
model = "albef"
sha256 = "abcd1234"
limit = 300
seed = 0
why = "because it never saw one"
"""
FINGERPRINT = "sha256:abcd1234ef"
RUN = {"limit": 300, "seed": 0}


@pytest.fixture
def weights(tmp_path):
    """A checkpoint next to which a known failure is listed."""
    (tmp_path / FILE_NAME).write_text(ENTRY)
    return tmp_path / "model.safetensors"


def test_entries_apply_to_one_criterion_checkpoint_limit_and_seed(weights):
    entries = known_failures_of(weights, FINGERPRINT)
    assert find_known_failure(entries, "mirror.side", "albef", FINGERPRINT, **RUN) == "because it never saw one"
    assert find_known_failure(entries, "mirror.drift", "albef", FINGERPRINT, **RUN) is None
    assert find_known_failure(entries, "mirror.side", "uniter", FINGERPRINT, **RUN) is None
    assert find_known_failure(entries, "mirror.side", "albef", "sha256:ffff", **RUN) is None
    for changed in ({"limit": 299}, {"seed": 1}):
        assert find_known_failure(entries, "mirror.side", "albef", FINGERPRINT, **(RUN | changed)) is None


def test_a_thresholds_file_lists_them_in_the_same_form(weights):
    thresholds = read_thresholds(weights.parent / FILE_NAME)
    assert thresholds.known_failures == known_failures_of(weights, FINGERPRINT)


def test_a_folder_of_weights_is_searched_too(weights):
    entries = read_known_failures(weights.parent / FILE_NAME)
    assert known_failures_of(weights.parent, FINGERPRINT) == entries


def test_weights_without_a_file_have_none(tmp_path):
    assert known_failures_of(tmp_path / "model.safetensors", FINGERPRINT) == ()


def test_a_file_for_other_weights_only_is_named_in_a_warning(weights):
    with pytest.warns(UserWarning, match=r"known_failures.toml: no entry applies to model.safetensors .*abcd1234"):
        entries = known_failures_of(weights, "sha256:ffff0000ef")
    assert find_known_failure(entries, "mirror.side", "albef", "sha256:ffff0000ef", **RUN) is None


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("limit = 300", "limit = 0"), 6, "greater than or equal to 1"),
        (("seed = 0\n", ""), 2, "Field required"),
        (('"abcd1234"', '"abcd"'), 5, "at least 8 characters"),
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
    path.write_text(ENTRY + ENTRY.replace("300", "0"))
    with pytest.raises(UsageError, match="line 14: "):
        read_known_failures(path)
