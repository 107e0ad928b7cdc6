"""Known failures of bundled weights: ranges come from several seeds, reasons are kept, none is made up."""

from types import SimpleNamespace

import pytest

from fixtures.zoo import known_failures
from fixtures.zoo.__main__ import main
from fixtures.zoo.known_failures import expected_failures, reasons_in, render
from vlaudit.errors import MeasuringError, UsageError
from vlaudit.findings import Criterion, Finding, Verdict
from vlaudit.known_failures import FILE_NAME, NO_REASON, read_known_failures
from vlaudit.reporting.document import criterion_record, finding_record
from vlaudit.statistics.base import Estimate

SHA256 = "0123456789abcdef" * 4


def record(name, outcome, value=None, reach=0.05):
    found = None if value is None else Estimate(value, value - reach, value + reach, 0.01, 9, 9, "exact")
    return criterion_record(Verdict(Criterion(name, "a reason", 0.01, at_least=0.8), outcome, "found", found), "f")


def document(*records):
    finding = finding_record(Finding("f", "claim", "source", "failing"), "albef", records)
    return SimpleNamespace(findings=(finding,), subject=(SimpleNamespace(fingerprint=f"sha256:{SHA256}"),))


def test_what_fails_or_is_inconclusive_on_any_seed_is_listed():
    seeds = [
        document(record("a", "pass", 0.9), record("b", "fail", 0.5), record("c", "not applicable")),
        document(record("a", "inconclusive", 0.8), record("b", "fail", 0.5), record("c", "not applicable")),
        document(record("a", "pass", 0.9), record("b", "fail", 0.5), record("d", "pass", 0.9)),
    ]
    first, second = expected_failures(seeds)
    assert (first.criterion, second.criterion) == ("f.a", "f.b")
    assert first.measured == "0.800 to 0.900 on 3 seeds, at least 0.8: pass, inconclusive"
    spread = 3 * (0.02 / 3 / 2) ** 0.5  # of 0.9, 0.8 and 0.9
    assert (first.low, first.high) == (pytest.approx(0.8 - spread, abs=2e-3), pytest.approx(0.9 + spread, abs=2e-3))
    assert (second.low, second.high) == (pytest.approx(0.45, abs=2e-3), pytest.approx(0.55, abs=2e-3))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A bundled model that fails one criterion."""
    monkeypatch.setattr(known_failures, "HERE", tmp_path)
    monkeypatch.setattr(known_failures, "measure", lambda *given: [document(record("b", "fail", 0.5))])
    made = tmp_path / "weights" / "albef"
    made.mkdir(parents=True)
    return made


def test_a_reason_is_required_and_kept(folder, capsys):
    assert main(["known-failures", "albef"]) == 1
    assert f"f.b: replace '{NO_REASON}'" in capsys.readouterr().out
    with pytest.raises(UsageError, match="by the reason why this model"):
        read_known_failures(folder / FILE_NAME)
    text = (folder / FILE_NAME).read_text(encoding="utf-8")
    (folder / FILE_NAME).write_text(text.replace(NO_REASON, r"it is \"small\", by design"), encoding="utf-8")
    for _ in range(2):
        assert main(["known-failures", "albef"]) == 0
        (entry,) = read_known_failures(folder / FILE_NAME)
        assert (entry.criterion, entry.model, entry.sha256) == ("f.b", "albef", SHA256[:16])
        assert entry.why == 'it is "small", by design'
        assert entry.low < 0.5 < entry.high


def test_weights_that_fail_nothing_have_no_file(folder, monkeypatch, capsys):
    (folder / FILE_NAME).write_text(render("albef", SHA256, [], {}), encoding="utf-8")
    monkeypatch.setattr(known_failures, "measure", lambda *given: [document(record("b", "pass", 0.9))])
    assert main(["known-failures", "albef"]) == 0
    assert not (folder / FILE_NAME).exists()
    assert "fails nothing" in capsys.readouterr().out


def test_the_reasons_of_outdated_entries_are_read(tmp_path):
    path = tmp_path / FILE_NAME
    assert reasons_in(path) == {}
    path.write_text('[[known_failures]]\ncriterion = "f.b"\nlimit = 300\nseed = 0\nwhy = "hands are small"\n')
    assert reasons_in(path) == {"f.b": "hands are small"}


@pytest.mark.parametrize("outcome", ["error", "inconclusive"])
def test_an_audit_without_a_value_lists_nothing(monkeypatch, outcome):
    monkeypatch.setattr(known_failures, "bundled", lambda model: [known_failures.HERE / "weights" / model / "x"])
    broken = SimpleNamespace(document=document(record("b", outcome)))
    monkeypatch.setattr("vlaudit.audit", lambda *given, **named: broken)
    with pytest.raises(MeasuringError, match=rf"f\.b of albef, seed 0, has no value to list .{outcome}, found"):
        known_failures.measure("albef", range(1), 10)


def test_a_criterion_that_waits_for_its_competence_is_not_listed():
    competence = record("competence[x]", "inconclusive", 0.5).model_copy(update={"competence": True})
    waiting = document(competence, record("b", "inconclusive"))
    assert [one.criterion for one in expected_failures([waiting])] == ["f.competence[x]"]
    known_failures._check_values(waiting.findings[0], "here")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["known-failures", "alpef"], "must be one that has a recipe"),
        (["known-failures", "albef", "--seeds", "0"], "--seeds and --limit must be at least 1, got 0 and 300"),
        (["known-failures", "regions"], "the region encoder is not audited itself"),
    ],
)
def test_wrong_usage_is_reported_in_one_line(capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
