"""The checks of a model adapter as a list, as scikit-learn has them for estimators (`parametrize_with_checks`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal
from unittest import SkipTest

from vlaudit.errors import AdapterError, UsageError, nearest
from vlaudit.models.checks import contract, positions
from vlaudit.models.checks.subject import Subject

Check = Callable[[Subject], Iterator[str]]

_REQUIRED: tuple[Check, ...] = (contract.is_an_adapter, contract.plain_samples_are_answered, contract.shapes)
"""Checks that every later check relies on."""

# Most fundamental first: where several fail, the first explains the others.
_CHECKS: tuple[Check, ...] = (
    *_REQUIRED,
    contract.declares_what_it_answers,
    contract.repeated_requests,
    contract.batches,
    contract.order,
    contract.selections,
    contract.unread_answers,
    contract.word_alignment,
    contract.long_captions,
    contract.box_alignment,
    contract.hidden_words,
    contract.log_probabilities,
    contract.candidates,
    contract.attention_rows,
    contract.features,
    positions.image_is_read,
    positions.word_positions,
    positions.image_positions,
    positions.stage_order,
    positions.attention_positions,
    positions.words_at_the_mask,
)


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check. `expected failure` and `skip` have a reason too; neither is a pass."""

    id: str
    outcome: Literal["pass", "skip", "expected failure", "fail"]
    reason: str = ""


@dataclass(frozen=True)
class AdapterCheck:
    """One check of one adapter: call it in a test of your own. `id` is its name, and its text as a test id."""

    id: str
    promise: str
    expected_failure: str | None
    _check: Check
    _subject: Subject

    def __str__(self) -> str:
        return self.id

    def __call__(self) -> None:
        """Run the check.

        Raises `AdapterError` where the promise is not kept, or is although a failure was expected, and
        `unittest.SkipTest` (which pytest reports as a skip) where it does not apply or fails as expected.
        Exceptions of the adapter pass through.
        """
        _raise_unless_passed(self._judged(self._faults()))

    def result(self) -> CheckResult:
        """Run the check and return its outcome; an exception of the adapter is a failure."""
        try:
            return self._judged(self._faults())
        except SkipTest as skip:
            return CheckResult(self.id, "skip", str(skip))
        except Exception as error:  # noqa: BLE001 (an adapter may raise anything)
            return self._judged([f"it raised {type(error).__name__}: {error}"])

    def _faults(self) -> list[str]:
        for required in takewhile(lambda check: check is not self._check, _REQUIRED):
            if not self._subject.keeps(required):
                raise SkipTest(f"not run, because {required.__name__} fails")
        return list(self._check(self._subject))

    def _judged(self, faults: list[str]) -> CheckResult:
        expected = self.expected_failure
        if faults and expected is not None:
            return CheckResult(self.id, "expected failure", expected)
        if faults:
            return CheckResult(self.id, "fail", "; ".join(faults))
        if expected is not None:
            return CheckResult(
                self.id, "fail", f"it was expected to fail ({expected}) and passes; drop the expectation"
            )
        return CheckResult(self.id, "pass")


def _raise_unless_passed(result: CheckResult) -> None:
    if result.outcome == "fail":
        raise AdapterError(f"{result.id}: {result.reason}")
    if result.outcome == "expected failure":
        raise SkipTest(f"fails as expected: {result.reason}")


def adapter_checks(
    adapter: object, *, expected_failures: Mapping[str, str] | None = None, tolerance: float = 1e-4
) -> list[AdapterCheck]:
    """Return the checks of an adapter, most fundamental first.

    Each makes one test::

        @pytest.mark.parametrize("check", vlaudit.adapter_checks(MyAdapter), ids=str)
        def test_adapter(check):
            check()

    `adapter` is an adapter, or a class or function that makes one, which is called once, when the first check runs:
    with `LoadOptions` without a checkpoint where it takes them, else without arguments. `expected_failures` maps the id
    of a check to the reason why it is known to fail; a pass is then a failure. `tolerance` (absolute) is that of
    answers that must be equal.

    The checks use four small samples made of the adapter's own vocabulary, and changes of one word or one box of them.
    A check that needs a reading the adapter does not declare is skipped with this reason.
    Raises `UsageError` for an unknown id in `expected_failures`.
    """
    expected = expected_failures or {}
    ids = [check.__name__ for check in _CHECKS]
    for unknown in sorted(set(expected) - set(ids)):
        raise UsageError(f"expected_failures: there is no check {unknown!r}{nearest(unknown, ids)}")
    subject = Subject(adapter, tolerance)
    return [
        AdapterCheck(
            check.__name__, (check.__doc__ or "").partition("\n")[0], expected.get(check.__name__), check, subject
        )
        for check in _CHECKS
    ]


def check_adapter(
    adapter: object, *, expected_failures: Mapping[str, str] | None = None, tolerance: float = 1e-4
) -> list[CheckResult]:
    """Run every check of `adapter_checks` and return the outcomes; arguments are the same.

    Raises `AdapterError` that lists every check that fails.
    """
    checks = adapter_checks(adapter, expected_failures=expected_failures, tolerance=tolerance)
    results = [check.result() for check in checks]
    failed = [f"{result.id}: {result.reason}" for result in results if result.outcome == "fail"]
    if failed:
        raise AdapterError(f"{len(failed)} of {len(results)} adapter checks fail:\n  " + "\n  ".join(failed))
    return results
