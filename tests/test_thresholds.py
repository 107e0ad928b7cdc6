"""A thresholds file is validated as a whole, with file and line, and its criteria share the error."""

import re
from functools import partial

import hypothesis.strategies as st
import pytest
from hypothesis import given

from vlaudit.errors import UsageError
from vlaudit.thresholds import read_thresholds, shipped_text

WHY = 'why = "because a user would want it"'
HEAD = 'extends = "none"\nalpha = 0.05\n'
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
OWN = f"""
[desirable.any.any.captions]
noticed = {{ at_least = 0.9, {WHY} }}
links = {{ at_least = 0.1, cases = 3, {WHY} }}
"""
SHIPPED = ("mirror_skew", "side_accuracy", "desirable")


def write(tmp_path, text):
    path = tmp_path / "thresholds.toml"
    path.write_text(text)
    return path


def read(tmp_path, text, **known):
    return read_thresholds(write(tmp_path, text), **known)


def criterion(thresholds, *names, family="albef", data="scenes", architecture="cross-attention"):
    return thresholds.criterion(family, data, *names, architecture=architecture)


def count(thresholds, family="albef", expect="desirable", architecture="cross-attention"):
    return thresholds.count(family, "scenes", expect, architecture=architecture)


def test_the_shipped_file_is_valid_and_names_nothing_unknown(tmp_path):
    assert read_thresholds().alpha == 0.05
    assert read(tmp_path, shipped_text()).alpha == 0.05


def test_the_more_specific_table_wins_entry_by_entry(tmp_path):
    thresholds = read(tmp_path, PLAIN)
    assert criterion(thresholds, "mirror", "side", "desirable").at_least == 0.9
    assert criterion(thresholds, "mirror", "side", "desirable", family="uniter").at_least == 0.5
    assert criterion(thresholds, "mirror", "drift", "desirable").at_most == 0.1
    assert criterion(thresholds, "mirror", "side", "published").at_most == 0.6


def test_competence_is_a_criterion_of_its_finding(tmp_path):
    thresholds = read(tmp_path, PLAIN)
    found = criterion(thresholds, "mirror", "competence[words]", "desirable")
    assert (found.at_least, found.id) == (0.6, "mirror.competence[words]")
    assert found.alpha == criterion(thresholds, "mirror", "side", "desirable").alpha
    find = partial(thresholds.find_criterion, "albef", architecture="cross-attention")
    assert find("scenes", "mirror", "competence", "desirable").at_least == 0.6
    assert find("coco", "mirror", "competence", "desirable") is None


def test_a_family_wins_over_its_architecture_and_that_over_any(tmp_path):
    """For any data: `[desirable.two-stream.any...]` is more specific than `[desirable.any.coco...]`."""
    keys = ("any.any", "any.coco", "two-stream.any", "two-stream.coco", "lxmert.any", "lxmert.coco")
    tables = [f"[desirable.{key}.mirror]\nside = {{ at_least = 0.{n}, {WHY} }}\n" for n, key in enumerate(keys, 1)]
    thresholds = read(tmp_path, HEAD + "".join(tables))
    found = {
        (family, data): criterion(
            thresholds, "mirror", "side", "desirable", family=family, data=data, architecture=architecture
        ).at_least
        for family, architecture in (("uniter", "single-stream"), ("vilbert", "two-stream"), ("lxmert", "two-stream"))
        for data in ("scenes", "coco")
    }
    assert list(found.values()) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


FAMILIES = [("uniter", "single-stream"), ("albef", "cross-attention"), ("vilbert", "two-stream")]


def shares(thresholds, family, architecture, expect="desirable"):
    """Return the share of every criterion of the shipped file, one per case, by finding."""
    found = {}
    for (finding, name), entry in thresholds._select(family, architecture, "scenes", expect)[0].items():
        one = criterion(thresholds, finding, name, expect, family=family, architecture=architecture)
        found.setdefault(finding, []).extend([one.alpha] * entry.cases)
    return found


@pytest.mark.parametrize(("family", "architecture"), FAMILIES)
@pytest.mark.parametrize("expect", ["desirable", "published"])
def test_each_shipped_finding_owns_a_ninth_of_the_error(family, architecture, expect):
    found = shares(read_thresholds(), family, architecture, expect)
    for alphas in found.values():
        assert sum(alphas) == pytest.approx(0.05 / 9)
        assert len(set(alphas)) == 1
    assert len(found) <= 9


@given(st.lists(st.lists(st.integers(1, 20), min_size=1, max_size=4), min_size=1, max_size=5), st.floats(0.001, 0.5))
def test_findings_of_ones_own_sum_to_their_own_error_and_change_no_shipped_share(tmp_path_factory, findings, alpha):
    """`findings` holds the number of cases of each criterion of each finding."""
    lines = [f"alpha = {alpha}"]
    for i, cases in enumerate(findings):
        lines.append(f"[desirable.any.any.own{i}]")
        lines += [f"c{j} = {{ at_least = 0.9, cases = {n}, {WHY} }}" for j, n in enumerate(cases)]
    thresholds = read(tmp_path_factory.mktemp("own"), "\n".join(lines))
    alphas = {
        i: sum(n * criterion(thresholds, f"own{i}", f"c{j}", "desirable").alpha for j, n in enumerate(cases))
        for i, cases in enumerate(findings)
    }
    assert list(alphas.values()) == pytest.approx([alpha / len(findings)] * len(findings))
    for family, architecture in FAMILIES:
        assert shares(thresholds, family, architecture) == shares(read_thresholds(), family, architecture)


def test_criteria_share_the_error_of_their_finding_for_any_selection(tmp_path):
    """2 findings; 3 criteria of mirror, and 7 cases of heads."""
    thresholds = read(tmp_path, PLAIN)
    assert count(thresholds) == 10
    assert criterion(thresholds, "mirror", "side", "desirable").alpha == pytest.approx(0.05 / 2 / 3)
    assert criterion(thresholds, "heads", "links[people]", "desirable").alpha == pytest.approx(0.05 / 2 / 7)
    assert count(thresholds, "uniter", architecture="single-stream") == 3


CASES = {"heads": {f"links[{i}]": True for i in range(7)}}


def check_cases(thresholds, cases, **more):
    thresholds.check_cases("albef", "scenes", "desirable", cases, architecture="cross-attention", **more)


@pytest.mark.parametrize("declared", [1, 6, 8])
def test_a_wrong_number_of_cases_is_an_error_with_its_line(tmp_path, declared):
    text = PLAIN.replace("cases = 7", f"cases = {declared}")
    with pytest.raises(UsageError, match=f"line 11: heads.links declares cases = {declared}, its test has 7") as error:
        check_cases(read(tmp_path, text), CASES)
    assert "write cases = 7" in str(error.value)


def test_cases_that_do_not_apply_need_not_be_declared(tmp_path):
    some = {"heads": {f"links[{i}]": i < 7 for i in range(16)}}
    check_cases(read(tmp_path, PLAIN), some)
    check_cases(read(tmp_path, PLAIN), {"mirror": {"side": True}, "unlisted": {"one": True}})
    with pytest.raises(UsageError, match="write the number that apply, at least 7"):
        check_cases(read(tmp_path, PLAIN.replace("cases = 7", "cases = 6")), some)


def test_a_case_with_an_entry_of_its_own_is_not_a_case_of_the_common_entry(tmp_path):
    one, others = f'"links[0]" = {{ at_least = 0, {WHY} }}', f"links = {{ at_least = 1, cases = 6, {WHY} }}"
    check_cases(read(tmp_path, f"[desirable.albef.any.heads]\n{one}\n{others}\n"), CASES)


@pytest.mark.parametrize(("family", "architecture"), FAMILIES)
def test_no_selection_makes_the_share_of_a_forgotten_count_too_large(tmp_path, family, architecture):
    """Without `cases`, 7 cases would have had the share of one each."""
    text = f"[desirable.any.any.heads]\nlinks = {{ at_least = 0.1, {WHY} }}\n"
    with pytest.raises(UsageError, match="declares cases = 1"):
        read(tmp_path, text).check_cases(family, "coco", "desirable", CASES, architecture=architecture)


def test_a_file_extends_the_shipped_one_by_default(tmp_path):
    """Bounds of one's own replace shipped ones, also those of a more specific shipped table; shares stay."""
    own = (
        f"[desirable.any.any]\nmirror_skew.side_accuracy = {{ at_least = 0.7, {WHY} }}\n"
        f"coref_heads.links_above_random = {{ at_least = 0.05, {WHY} }}\n"
    )
    for text in (own, f'extends = "default"\n{own}'):
        thresholds, shipped = read(tmp_path, text), read_thresholds()
        changed, before = criterion(thresholds, *SHIPPED), criterion(shipped, *SHIPPED)
        assert (changed.at_least, before.at_least) == (0.7, 0.8)
        assert changed.alpha == before.alpha < 0.05 / 9
        assert (
            criterion(thresholds, "coref_heads", "links_above_random[people-text_image]", "desirable").at_least == 0.05
        )
        assert criterion(thresholds, "mirror_skew", "match_side", "desirable").at_least == 0.8
        assert count(thresholds) == count(shipped)


def test_findings_of_ones_own_have_an_error_budget_of_their_own(tmp_path):
    thresholds = read(tmp_path, OWN)
    assert criterion(thresholds, "captions", "noticed", "desirable").alpha == 0.05 / 4
    assert criterion(thresholds, "captions", "links[people]", "desirable").alpha == 0.05 / 4
    assert criterion(thresholds, *SHIPPED) == criterion(read_thresholds(), *SHIPPED)
    assert thresholds.alpha == 0.05
    stricter = read(tmp_path, f"alpha = 0.01\n{OWN}")
    assert criterion(stricter, "captions", "noticed", "desirable").alpha == 0.01 / 4
    assert criterion(stricter, *SHIPPED) == criterion(read_thresholds(), *SHIPPED)
    assert stricter.alpha == 0.05


def test_a_file_that_extends_nothing_has_only_its_own_entries(tmp_path):
    thresholds = read(tmp_path, PLAIN)
    with pytest.raises(UsageError, match=re.escape("no entry for mirror_skew.side_accuracy")):
        criterion(thresholds, *SHIPPED)


def test_alpha_defaults_to_the_shipped_value(tmp_path):
    shipped = read_thresholds()
    for text in ("", 'extends = "none"\n'):
        thresholds = read(tmp_path, text)
        assert thresholds.alpha == shipped.alpha


def test_a_file_states_which_shipped_bounds_it_replaces(tmp_path):
    """Also one that extends nothing."""
    own = f"{OWN}[desirable.albef.any]\nmirror_skew.side_accuracy = {{ at_least = 0.7, {WHY} }}\n"
    for text in (own, f'extends = "none"\n{own}'):
        replaces = partial(read(tmp_path, text).replaces, architecture="cross-attention")
        assert replaces("albef", "scenes", *SHIPPED)
        assert not replaces("blip", "scenes", *SHIPPED)
        assert not replaces("albef", "scenes", "mirror_skew", "match_side", "desirable")
        assert not replaces("albef", "scenes", "captions", "noticed", "desirable")


def test_a_parametrized_test_reads_the_entry_of_all_cases(tmp_path):
    found = criterion(read(tmp_path, PLAIN), "heads", "links[people]", "desirable", data="coco")
    assert (found.id, found.within) == ("heads.links[people]", (0, 1))


def test_a_criterion_without_an_entry_is_an_error_that_names_the_table(tmp_path):
    with pytest.raises(UsageError, match=re.escape("no entry for mirror.tilt")) as raised:
        criterion(read(tmp_path, PLAIN), "mirror", "tilt", "desirable")
    assert "[desirable.albef.scenes.mirror]" in str(raised.value)


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("at_least = 0.5", "atleast = 0.5"), 6, "no key 'atleast': did you mean at_least?"),
        (("at_least = 0.5", 'at_least = "much"'), 6, "should be a valid number"),
        (("at_least = 0.5", "at_least = 0.5, at_most = 1"), 6, "exactly one of at_least, at_most, within"),
        (("at_least = 0.5, ", ""), 6, "got none"),
        (("[0, 1]", "[1, 0]"), 11, "must have a < b"),
        ((WHY, 'why = "short"'), 5, "at least 10 characters"),
        (("alpha = 0.05", "alpha = 5"), 2, "less than 1"),
        (("cases = 7", "cases = 0"), 11, "greater than or equal to 1"),
        (('"none"', '"shipped"'), 1, "Input should be 'default' or 'none'"),
        (("desirable.albef.any", "desirable.alpef.any"), 10, "no family or architecture is called 'alpef'"),
        (("desirable.albef.any", "desirable.two-steam.any"), 10, "did you mean two-stream"),
        (("desirable.albef.any", '"desirable"."albef".coko'), 10, "no data set is called 'coko': did you mean coco?"),
    ],
)
def test_an_invalid_entry_is_named_with_its_line(tmp_path, change, line, message):
    path = write(tmp_path, PLAIN.replace(*change, 1))
    with pytest.raises(UsageError) as raised:
        read_thresholds(path)
    assert message in str(raised.value)
    assert f"--thresholds {path}, line {line}: " in str(raised.value)


def test_models_and_data_of_ones_own_are_keys_too(tmp_path, monkeypatch):
    """Given by name, or a class whose file exists."""
    monkeypatch.chdir(tmp_path)
    table = f'[desirable."./mine.py:Adapter".any.captions]\nnoticed = {{ at_least = 0.9, {WHY} }}\n'
    with pytest.raises(UsageError, match=re.escape("line 1: no family or architecture is called './mine.py:Adapter'")):
        read(tmp_path, table)
    assert read(tmp_path, table, known_models=["./mine.py:Adapter"])
    (tmp_path / "mine.py").touch()
    assert read(tmp_path, table)
    assert read(tmp_path, table.replace(".any.", ".walks."), known_data=["walks"])


NAMES = {"captions": {"noticed", "links[people]", "links[animals]"}}


@pytest.mark.parametrize(
    "entry",
    [
        "captions.noticed",
        "captions.links",
        'captions."links[animals]"',
        "mirror_skew.side_accuracy",
        "mirror_skew.competence",
        'coref_heads."links_above_random[people-text_image]"',
    ],
)
def test_entries_of_known_findings_and_criteria_are_accepted(tmp_path, entry):
    read(tmp_path, f"[desirable.any.any]\n{entry} = {{ at_least = 0.9, {WHY} }}\n").check_names(NAMES)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("caption.noticed", "line 2: no collected audit has a finding 'caption': did you mean captions?"),
        ("captions.notice", "line 2: finding captions has no criterion 'notice': did you mean noticed?"),
        ('captions."links[peple]"', "has no criterion 'links[peple]': did you mean links[people]"),
        ("mirror_skew.side_acuracy", "has no criterion 'side_acuracy': did you mean side_accuracy"),
        ("mirorr_skew.side_accuracy", "did you mean mirror_skew?"),
        ("mirror_skew.tilt", "finding mirror_skew has no criterion 'tilt'"),
    ],
)
def test_a_misspelt_finding_or_criterion_is_an_error_with_the_nearest_name(tmp_path, entry, message):
    thresholds = read(tmp_path, f"[desirable.any.any]\n{entry} = {{ at_least = 0.9, {WHY} }}\n")
    with pytest.raises(UsageError, match=re.escape(message)):
        thresholds.check_names(NAMES)


@pytest.mark.parametrize(("criterion", "found"), [("captions.notised", "error"), ("walks.long", "note")])
def test_a_known_failure_of_an_unknown_criterion_is_reported(tmp_path, criterion, found):
    entry = f'criterion = "{criterion}"\nmodel = "albef"\nsha256 = "{"0" * 16}"\nlow = 0\nhigh = 1\n{WHY}'
    thresholds = read(tmp_path, f"[[known_failures]]\n{entry}\n")
    if found == "error":
        with pytest.raises(
            UsageError, match=r"no criterion is called 'captions\.notised': did you mean captions\.noticed"
        ):
            thresholds.check_names(NAMES)
    else:
        (note,) = thresholds.check_names(NAMES)
        assert "'walks.long'; the entry has no effect" in note


@pytest.mark.parametrize("entry", ["walks.long", "captions.ignored"])
def test_a_name_that_resembles_no_known_one_is_a_note(tmp_path, entry):
    """Its audit may be in a file that is not part of this run."""
    thresholds = read(tmp_path, f"[desirable.any.any]\n{entry} = {{ at_least = 0.9, {WHY} }}\n")
    (note,) = thresholds.check_names(NAMES)
    assert "line 2: " in note
    assert note.endswith("no effect in this run")


def test_a_shipped_parametrization_is_checked_where_its_cases_were_collected(tmp_path):
    entry = f'coref_heads."links_above_random[peple]" = {{ at_least = 0.9, {WHY} }}'
    thresholds = read(tmp_path, f"[desirable.any.any]\n{entry}\n")
    thresholds.check_names({})
    with pytest.raises(UsageError, match="did you mean"):
        thresholds.check_names({"coref_heads": {"links_above_random[people]"}})


def test_a_file_that_is_not_toml_or_not_readable_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"not TOML: .*line 1"):
        read(tmp_path, "alpha = = 3\n")
    with pytest.raises(UsageError, match="cannot read the file"):
        read_thresholds(tmp_path / "none.toml")
