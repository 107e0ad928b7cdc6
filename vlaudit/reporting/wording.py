"""Text for verdicts and numbers, shared by terminal, page and document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from vlaudit.findings import Outcome

OUTCOMES: tuple[Outcome, ...] = ("fail", "error", "inconclusive", "not applicable", "pass")
"""Every outcome, the most important first."""

_COUNTED = {
    "fail": "failed",
    "error": "could not be computed",
    "inconclusive": "inconclusive",
    "not applicable": "not applicable",
    "pass": "passed",
}


def number(value: float) -> str:
    """Return a number with three decimals, or with four digits if it is very small or large.

    >>> number(0.12345), number(-0.0001), number(12345.6), number(0.0), number(-0.0)
    ('0.123', '-0.0001', '1.235e+04', '0.000', '0.000')
    """
    if value and (abs(value) < 5e-4 or abs(value) >= 1e4):
        return f"{value:.4g}"
    return f"{value + 0.0:.3f}"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval in brackets, an open side written as infinity.

    >>> interval(0.1, 0.25), interval(None, 0.5)
    ('[0.100, 0.250]', '[-∞, 0.500]')
    """
    return f"[{'-∞' if low is None else number(low)}, {'∞' if high is None else number(high)}]"


def bound(at_least: float | None, at_most: float | None, within: Sequence[float] | None) -> str:
    """Return a bound in symbols.

    >>> bound(0.1, None, None), bound(None, -0.05, None), bound(None, None, (-0.1, 0.1)), bound(None, None, (0.4, 0.6))
    ('≥ 0.1', '≤ -0.05', '± 0.1', '0.4 … 0.6')
    """
    if within is not None and within[0] == -within[1]:
        return f"± {within[1]:g}"
    if within is not None:
        return f"{within[0]:g} … {within[1]:g}"
    return f"≥ {at_least:g}" if at_least is not None else f"≤ {at_most:g}"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return a count with its noun.

    >>> plural(1, "criterion", "criteria"), plural(1200, "image")
    ('1 criterion', '1,200 images')
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def in_words(name: str) -> str:
    """Return an id as a title; test parameters are unchanged.

    >>> in_words("vision_effect"), in_words("links_above_random[people-text_image]")
    ('vision effect', 'links above random, people-text_image')
    """
    head, _, parameters = name.partition("[")
    return head.replace("_", " ") + (f", {parameters.removesuffix(']')}" if parameters else "")


def finite(value: float) -> float | None:
    """Return the value, or None where it is not finite: an open side of an interval."""
    return value if math.isfinite(value) else None


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the most important outcome; "not applicable" only if all are.

    >>> worst(["pass", "not applicable"]), worst(["pass", "fail"]), worst([])
    ('pass', 'fail', 'not applicable')
    """
    judged = [outcome for outcome in outcomes if outcome != "not applicable"]
    return min(judged, key=OUTCOMES.index, default="not applicable")


def sentence(
    counts: Mapping[Outcome, int],
    status: str,
    *,
    expect: Literal["desirable", "published"],
    gate: bool,
    decided: bool = True,
    known: int = 0,
    outside: int = 0,
    models: int = 1,
    unaudited: Sequence[str] = (),
    reason: str = "",
) -> str:
    """Return the verdict of a whole run in one sentence.

    `known` is the number of known failures that did not pass, `outside` that of known failures outside their range,
    `unaudited` the findings without a judged criterion, `reason` the most common reason. A run without a decision
    never holds and never passes a gate. Of several models the criteria are counted together.
    """
    total = sum(counts.values())
    criteria = f"{total} criteria" + (f" on {models} models" if models > 1 else "")
    of = "the one criterion" if total == 1 else f"of {criteria}"
    if status in ("fails", "error"):
        what = "Does not pass the gate" if gate else "Fails" if expect == "desirable" else "Does not reproduce"
        left = f", {outside} outside the range of a known failure" if outside else ""
        return f"{what}: {of}, {listed(counts, OUTCOMES)}{left}."
    if not decided:
        return _undecided(status, f"{of}, {listed(counts, OUTCOMES)}", reason, gate=gate, models=models)
    held = "Holds" if expect == "desirable" else "Reproduces the published findings"
    if status == "undecided":
        held = "No criterion failed, but not all is decided"
    elif unaudited:
        held = f"{held} as far as audited"
    left = f"; not audited: {', '.join(unaudited)}" if unaudited else ""
    if counts.get("pass") == total:
        return f"{held}: {'the one criterion' if total == 1 else f'all {criteria}'} passed{left}."
    expected = f"; {plural(known, 'known failure')} among them" if known else ""
    return f"{held}: {of}, {listed(counts, OUTCOMES[::-1])}{expected}{left}."


def _undecided(status: str, counted: str, reason: str, *, gate: bool, models: int) -> str:
    """Return the sentence of a run without a decision."""
    start = "Does not pass the gate: nothing" if gate else "Nothing"
    if status == "undecided":
        return f"{start} was decided: {counted}."
    whom = "this model" if models == 1 else "these models"
    return f"{start} was judged: {reason or f'no criterion applies to {whom} and these data'}."


def listed(counts: Mapping[Outcome, int], order: Sequence[Outcome]) -> str:
    """Return the number of criteria per outcome, in this order, as text."""
    return ", ".join(f"{counts[outcome]} {_COUNTED[outcome]}" for outcome in order if counts.get(outcome))
