"""Coverage of the intervals and error rates of the verdicts, by simulation.

    python -m benchmarks.calibration [--reps N] [--seed S]

Every line is a method on one kind of simulated data with a known true value: the nominal error rate, and the share of
data sets on which the method erred, with its exact binomial interval (95%). Methods marked "not used" are naive
alternatives that vlaudit avoids. All other methods are called as audits call them, with a table.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from benchmarks.on_bound import on_bound, table
from vlaudit.auditing.sources import find_cases
from vlaudit.deciding import PASS_ERROR, compare, decisive_interval
from vlaudit.findings import AuditCase, Criterion
from vlaudit.seeds import generator
from vlaudit.statistics import (
    BestOf,
    Estimate,
    LargestGap,
    LargestSpread,
    Mean,
    NoEstimate,
    Proportion,
    Statistic,
)
from vlaudit.statistics.betting import reaches_target
from vlaudit.tables import Table
from vlaudit.thresholds import FINDINGS, read_thresholds

ALPHA = 0.05
NOT_USED = "not used: "
COLORS = ("red", "blue", "green", "black")
FAMILY, ARCHITECTURE = "uniter", "single-stream"  # all criteria apply to it

Errors = Mapping[str, bool]
"""True for each method that erred on one simulated data set."""


@dataclass(frozen=True)
class Experiment:
    """One kind of data: `run` draws a data set and applies the methods of `may_err`; `cost` divides the repetitions.

    `data` seeds the draws, so rewording it changes the figures.
    """

    data: str
    may_err: Mapping[str, float]
    run: Callable[[np.random.Generator, int], Errors]
    cost: int = 1


def main() -> None:
    """Run every experiment and print its lines."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--reps", type=int, default=2000, help="simulated data sets per line (2000, fewer for expensive methods)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(0)")
    options = parser.parse_args()
    if options.reps < 1:
        parser.error(f"argument --reps: must be at least 1, got {options.reps}")
    start = time.perf_counter()
    print(f"{'method':<38} {'data':<58} {'nominal':>8} {'errors':>7}  {'95% interval':<16} {'sets':>5}")
    for experiment in EXPERIMENTS:
        for line in lines(experiment, max(1, options.reps // experiment.cost), options.seed):
            print(line, flush=True)
    for line in suite_lines(max(1, options.reps // 4), options.seed):
        print(line, flush=True)
    for line in images_to_fail(options.seed):
        print(line, flush=True)
    print(f"{options.reps} repetitions, seed {options.seed}, {time.perf_counter() - start:.0f} s")


def lines(experiment: Experiment, repetitions: int, seed: int) -> Sequence[str]:
    """Return one line per method of an experiment."""
    errors: Counter[str] = Counter()
    for repetition in range(repetitions):
        rng = generator(seed, experiment.data, repetition)
        errors.update(method for method, erred in experiment.run(rng, repetition).items() if erred)
    return [
        line(method, experiment.data, nominal, errors[method], repetitions)
        for method, nominal in experiment.may_err.items()
    ]


def line(method: str, data: str, nominal: float, errors: int, repetitions: int) -> str:
    """Return one line; an error rate significantly above nominal is marked."""
    found = stats.binomtest(errors, repetitions).proportion_ci(0.95, method="exact")
    mark = " too often" if found.low > nominal else ""
    between = f"{found.low:.2%}-{found.high:.2%}"
    return f"{method:<38} {data:<58} {nominal:>8.2%} {errors / repetitions:>7.2%}  {between:<16} {repetitions:>5}{mark}"


def estimate_of(statistic: Statistic, made: Table, seed: int, alpha: float = ALPHA) -> Estimate:
    """Return the estimate, which exists for all simulated data."""
    found = statistic(made, alpha=alpha, seed=seed)
    if isinstance(found, NoEstimate):
        raise TypeError(found.reason)
    return found


def misses(statistic: Statistic, made: Table, truth: float, seed: int, alpha: float = ALPHA) -> bool:
    """Return whether the interval does not contain the true value."""
    found = estimate_of(statistic, made, seed, alpha)
    return not found.low <= truth <= found.high


def proportion(images: int, each: int, truth: float, tie: float) -> Callable[[np.random.Generator, int], Errors]:
    """Simulate binary answers of `each` units per image; `tie` is their correlation, 0 to 1."""

    def run(rng: np.random.Generator, seed: int) -> Errors:
        size = (1 - tie) / tie if tie else 1e9
        chance = rng.beta(truth * size, (1 - truth) * size, images)
        right = rng.random((images, each)) < chance[:, None]
        made = table(np.repeat(np.arange(images), each), right=right.ravel())
        return {("exact" if each == 1 else "betting"): misses(Proportion("right"), made, truth, seed)}

    return run


def probabilities(
    images: int, a: float, b: float, alpha: float = ALPHA
) -> Callable[[np.random.Generator, int], Errors]:
    """Simulate five probabilities per image, beta distributed around the image's level."""

    def run(rng: np.random.Generator, seed: int) -> Errors:
        level = np.repeat(rng.beta(a, b, images), 5)
        p = rng.beta(10 * level + 1e-9, 10 * (1 - level) + 1e-9)
        made = table(np.repeat(np.arange(images), 5), p=p)
        return {"betting": misses(Mean("p"), made, a / (a + b), seed, alpha)}

    return run


def paired(rng: np.random.Generator, seed: int) -> Errors:
    """Simulate the same units under two conditions: half of those above 0.2 lose 0.2."""
    shown = rng.beta(6, 2, 100)
    covered = np.where(shown >= 0.2, shown - rng.choice([0.0, 0.2], 100), shown)
    truth = 0.1 * stats.beta.sf(0.2, 6, 2)
    made = table(np.arange(100), shown=shown, covered=covered)
    return {"betting": misses(Mean("shown", minus="covered"), made, truth, seed)}


def unbounded(images: int, each: int, law: str) -> Callable[[np.random.Generator, int], Errors]:
    """Simulate unbounded values with most of the variance between images."""

    def run(rng: np.random.Generator, seed: int) -> Errors:
        level = rng.normal(size=images) if law == "normal" else rng.lognormal(-0.5, 1, images)
        x = (level[:, None] + (rng.normal(0, 0.5, (images, each)) if each > 1 else 0)).ravel()
        truth, image = (0.0 if law == "normal" else 1.0), np.repeat(np.arange(images), each)
        found = {"bootstrap": misses(Mean("x", bounds=None), table(image, x=x), truth, seed)}
        if each > 1:
            found[NOT_USED + "bootstrap of rows"] = misses(
                Mean("x", bounds=None), table(np.arange(len(x)), x=x), truth, seed
            )
        elif law == "normal":
            low, high = stats.bootstrap(
                (x,), np.mean, method="percentile", n_resamples=2000, rng=rng
            ).confidence_interval
            found[NOT_USED + "plain percentiles"] = not low <= truth <= high
        return found

    return run


def constant(rng: np.random.Generator, seed: int) -> Errors:
    """Simulate twenty images with an accuracy of 97%; in most data sets all answers are right."""
    right = (rng.random(20) < 0.97).astype(float)
    low, high = right.mean(), right.mean()
    if np.ptp(right):
        low, high = stats.bootstrap(
            (right,), np.mean, method="percentile", n_resamples=2000, rng=rng
        ).confidence_interval
    return {
        "betting": misses(Mean("right"), table(np.arange(20), right=right), 0.97, seed),
        NOT_USED + "plain percentiles": not low <= 0.97 <= high,
    }


def heads(images: int, count: int, kind: str) -> Callable[[np.random.Generator, int], Errors]:
    """Simulate heads without effect: all have mean one half, so the best one does too."""

    def run(rng: np.random.Generator, seed: int) -> Errors:
        values = rng.random((images, count))
        if kind == "bootstrap":
            values = rng.normal(0.5, 1, (images, count))
        made = table(np.arange(images), x=values)
        found = estimate_of(BestOf("x", bounds=None if kind == "bootstrap" else (0.0, 1.0)), made, seed)
        erred = {f"{kind}, lower bound": found.low > 0.5, f"{kind}, upper bound": found.high < 0.5}
        if kind == "betting":
            best = values[:, values.mean(0).argmax()]
            erred |= {NOT_USED + f"{k} folds, pooled": beyond(pooled(values, k)) for k in (5, 10)}
            erred[NOT_USED + "naive maximum"] = beyond(best)
        return erred

    return run


def pooled(values: Float[np.ndarray, "images heads"], folds: int) -> Float[np.ndarray, "images"]:
    """Return each image's value for the head that is best on the other folds."""
    fold, kept = np.arange(len(values)) % folds, np.empty(len(values))
    for k in range(folds):
        kept[fold == k] = values[fold == k, values[fold != k].mean(0).argmax()]
    return kept


def beyond(values: Float[np.ndarray, "images"]) -> bool:
    """Return whether a one-sided t-test rejects a mean of one half."""
    return bool(stats.ttest_1samp(values, 0.5, alternative="greater").pvalue < ALPHA / 2)


def heads_errors(kind: str, *, naive: bool) -> Mapping[str, float]:
    """Return the nominal error rates, half of alpha per bound."""
    names = [f"{kind}, lower bound", f"{kind}, upper bound"]
    names += [NOT_USED + name for name in ("5 folds, pooled", "10 folds, pooled", "naive maximum")] if naive else []
    return dict.fromkeys(names, ALPHA / 2)


def colors(rng: np.random.Generator, seed: int) -> Errors:
    """Simulate four colours, two questions per image; one answer in five is a guess that slightly favours red."""
    truth = rng.choice(COLORS, 160)
    guess = rng.choice(COLORS, 160, p=[0.4, 0.2, 0.2, 0.2])
    told = np.where(rng.random(160) < 0.2, guess, truth)
    made = table(np.repeat(np.arange(80), 2), truth=truth, told=told)
    return ends("betting", LargestGap("truth", "told", COLORS), made, 0.2 * (0.4 - 0.25), seed)


def positions(worst: float) -> Callable[[np.random.Generator, int], Errors]:
    """Simulate three positions with accuracies 0.9, 0.9 and `worst`."""

    def run(rng: np.random.Generator, seed: int) -> Errors:
        where = np.arange(150) % 3
        right = rng.random(150) < np.array([0.9, 0.9, worst])[where]
        made = table(np.arange(150), right=right, bin=np.array(["left", "middle", "border"])[where])
        return ends("exact", LargestSpread("right", by="bin"), made, 0.9 - worst, seed)

    return run


def one_best_head(rng: np.random.Generator, seed: int) -> Errors:
    """Simulate 24 heads and one with a larger mean, so that its own upper bound decides."""
    values = rng.beta(2, 6, (60, 24))
    values[:, 5] = rng.beta(4, 4, 60)
    return ends("betting", BestOf("x"), table(np.arange(60), x=values), 0.5, seed)


def ends(method: str, statistic: Statistic, made: Table, truth: float, seed: int) -> Errors:
    """Return which end excludes the true value."""
    found = estimate_of(statistic, made, seed)
    return {f"{method}, lower bound": found.low > truth, f"{method}, upper bound": found.high < truth}


def both_ends(method: str) -> Mapping[str, float]:
    """Return the nominal error rates, half of alpha per end."""
    return {f"{method}, lower bound": ALPHA / 2, f"{method}, upper bound": ALPHA / 2}


def suite_lines(repetitions: int, seed: int) -> Sequence[str]:
    """Return the error rates of the criteria that ship, with their statistics and shares, each exactly on its bound.

    This is the hardest case of a healthy model for failing, and of a broken one for passing.
    """
    criteria = suite()
    runs = [outcomes(criteria, generator(seed, FAMILY, i), i) for i in range(repetitions)]
    data = f"{len(criteria)} criteria of {FAMILY}, each exactly on its bound"
    failed = sum("fail" in found for found in runs)
    passed = sum(found.count("pass") for found in runs)
    return [
        line("any criterion judged failed", data, ALPHA, failed, repetitions),
        line("each criterion passed", data, PASS_ERROR, passed, repetitions * len(criteria)),
    ]


def suite() -> list[tuple[AuditCase, Criterion]]:
    """Return the cases that ship, with their criteria."""
    thresholds, found = read_thresholds(), []
    for case in find_cases():
        criterion = thresholds.find_criterion(
            FAMILY, "scenes", case.finding.id, case.name, "desirable", architecture=ARCHITECTURE
        )
        if criterion is not None and ARCHITECTURE not in {**case.not_for, **case.design.not_for}:
            found.append((case, criterion))
    return found


def outcomes(criteria: Sequence[tuple[AuditCase, Criterion]], rng: np.random.Generator, seed: int) -> list[str]:
    """Return the outcome of each criterion on data of its own."""
    found: list[str] = []
    for case, criterion in criteria:
        made = on_bound(case.statistic, criterion.bounds, rng, hard=bool(seed % 2))
        estimate = decisive_interval(case.statistic, made, criterion, seed=seed)
        if isinstance(estimate, NoEstimate):
            raise TypeError(f"{case.id}: {estimate.reason}")
        found.append(compare(estimate, criterion).outcome)
    return found


def images_to_fail(seed: int, heads: int = 144, bound: float = 0.1) -> Sequence[str]:
    """Return how many images "some head reaches 0.1" needs to fail in four of five data sets, shared and unshared.

    No head has an effect: its attention on the pair and on a random partner have the same distribution.
    """
    error, found = ALPHA / FINDINGS / 16, []
    for name, share in (("shared among the heads", error / heads), ("not shared", error)):
        images = next(n for n in range(20, 1000, 4) if share_failed(n, heads, (1 - bound) / 2, share, seed) >= 0.8)
        found.append(f"{heads} heads without effect, upper bounds {name}: {images} images fail the criterion")
    return found


def share_failed(images: int, heads: int, bound: float, error: float, seed: int) -> float:
    """Return the share of 20 data sets in which every head's upper bound is below the bound, rescaled to [0, 1]."""
    failed, m, first, last = 0, np.full(heads, bound), np.zeros(heads, dtype=int), np.full(heads, images)
    for repetition in range(20):
        rng = generator(seed, "images to fail", images, repetition)
        effect = rng.beta(2, 12, (images, heads)) - rng.beta(2, 12, (images, heads))
        failed += bool(reaches_target((1 - effect) / 2, m, np.log(1 / error), first, last).all())
    return failed / 20


EXPERIMENTS = (
    Experiment("100 images, one yes or no each, truth 0.9", {"exact": ALPHA}, proportion(100, 1, 0.9, 0.2)),
    Experiment("40 images x 5 yes or no, correlated, truth 0.8", {"betting": ALPHA}, proportion(40, 5, 0.8, 0.5)),
    Experiment("40 images x 5 probabilities, correlated, mean 0.25", {"betting": ALPHA}, probabilities(40, 2, 6)),
    Experiment("200 images x 5 probabilities, mean 0.97", {"betting": ALPHA}, probabilities(200, 9.7, 0.3), cost=2),
    Experiment("40 images, mean 0.25, alpha 0.0025", {"betting": 0.0025}, probabilities(40, 2, 6, 0.0025)),
    Experiment("100 images, two conditions, difference 0.1", {"betting": ALPHA}, paired),
    Experiment("20 images, truth 0.97", {"betting": ALPHA, NOT_USED + "plain percentiles": ALPHA}, constant),
    Experiment(
        "40 images x 5 normal, correlated",
        {"bootstrap": ALPHA, NOT_USED + "bootstrap of rows": ALPHA},
        unbounded(40, 5, "normal"),
    ),
    *(
        Experiment(
            f"{images} images, normal",
            {"bootstrap": ALPHA, NOT_USED + "plain percentiles": ALPHA},
            unbounded(images, 1, "normal"),
        )
        for images in (10, 40)
    ),
    *(
        Experiment(f"{images} images, lognormal (skewed)", {"bootstrap": ALPHA}, unbounded(images, 1, "lognormal"))
        for images in (40, 200)
    ),
    Experiment(
        "100 images, 144 heads of noise", heads_errors("betting", naive=True), heads(100, 144, "betting"), cost=4
    ),
    Experiment("40 images, 3 heads of noise", heads_errors("betting", naive=True), heads(40, 3, "betting")),
    Experiment(
        "100 images, 144 unbounded heads of noise",
        heads_errors("bootstrap", naive=False),
        heads(100, 144, "bootstrap"),
        4,
    ),
    Experiment("60 images, 24 heads, one of them better", both_ends("betting"), one_best_head, cost=2),
    Experiment("80 images x 2 colours, largest gap 0.03", both_ends("betting"), colors),
    Experiment("150 images, 3 positions, spread 0.1", both_ends("exact"), positions(0.8)),
    Experiment("150 images, 3 positions, spread 0", both_ends("exact"), positions(0.9)),
)


if __name__ == "__main__":
    main()
