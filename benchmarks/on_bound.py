"""Simulated tables whose true value of a statistic equals a bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from vlaudit.statistics import (
    AboveChance,
    BestOf,
    Change,
    LargestGap,
    LargestSpread,
    Last,
    Mean,
    Proportion,
    Statistic,
    Trend,
)
from vlaudit.tables import Table

IMAGES = 60
HEADS = 24
Columns = dict[str, np.ndarray]


def on_bound(statistic: Statistic, bounds: tuple[float, float], rng: np.random.Generator, *, hard: bool) -> Table:
    """Return a table of `IMAGES` images for which the true value is the finite (or lower) bound of a criterion.

    `hard`: all heads of a `BestOf` are equal, which is the hardest case for a wrong pass; otherwise one is better.
    """
    truth = next(bound for bound in bounds if math.isfinite(bound))
    columns = simulate(statistic, truth, rng, hard)
    where = getattr(statistic, "where", None)
    if where is not None:
        column, value = (where, True) if isinstance(where, str) else where
        columns[column] = np.full(IMAGES, value)
    return table(np.arange(IMAGES), **columns)


def table(image: Int[np.ndarray, "rows"], **columns: Sequence[object] | np.ndarray) -> Table:
    """Return a table of simulated rows."""
    listed = {name: np.asarray(values).tolist() for name, values in columns.items()}
    rows = zip(image.tolist(), *listed.values(), strict=True)
    return Table.of(
        [
            {"unit_id": i, "image_id": which, **dict(zip(listed, row, strict=True))}
            for i, (which, *row) in enumerate(rows)
        ]
    )


@singledispatch
def simulate(statistic: Any, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    """Return columns with this true value of the statistic."""
    raise TypeError(f"no simulation for {type(statistic).__name__}")


def _numbers(
    mean: float, rng: np.random.Generator, bounds: tuple[float, float] | None = None, heads: tuple[int, ...] = ()
) -> Float[np.ndarray, "images *heads"]:
    low, high = bounds or (0.0, 1.0)
    share = (mean - low) / (high - low)
    return np.asarray(low + (high - low) * rng.beta(4 * share + 1e-9, 4 * (1 - share) + 1e-9, (IMAGES, *heads)))


def _pair(
    truth: float, rng: np.random.Generator, bounds: tuple[float, float] | None, heads: tuple[int, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Return two columns whose means differ by `truth`, symmetric about the middle of the bounds."""
    middle = sum(bounds or (0.0, 1.0)) / 2
    return tuple(_numbers(middle + sign * truth / 2, rng, bounds, heads) for sign in (1, -1))  # type: ignore[return-value]


@simulate.register
def _(statistic: Mean, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    if statistic.minus is None:
        return {statistic.column: _numbers(truth, rng, statistic.bounds)}
    return dict(zip((statistic.column, statistic.minus), _pair(truth, rng, statistic.bounds), strict=True))


@simulate.register
def _(statistic: Proportion, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    return {statistic.column: rng.random(IMAGES) < truth}


@simulate.register
def _(statistic: AboveChance, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    chance = rng.choice([0.1, 0.25, 0.5], IMAGES)
    return {
        statistic.column: rng.random(IMAGES) < chance + truth * (1 - chance),
        statistic.chance: chance,
    }


@simulate.register
def _(statistic: Last, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    return {statistic.column: np.stack([_numbers(0.5, rng), _numbers(truth, rng, statistic.bounds)], axis=1)}


@simulate.register
def _(statistic: Change, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    last, first = _pair(truth, rng, statistic.bounds)
    layers = np.repeat(first[:, None], 6, axis=1)
    layers[:, statistic.last] = last
    return {statistic.column: layers}


@simulate.register
def _(statistic: Trend, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    sign = np.where(rng.random(IMAGES) < (1 + truth) / 2, 1, -1)
    return {statistic.column: sign[:, None] * np.arange(6)}


@simulate.register
def _(statistic: BestOf, truth: float, rng: np.random.Generator, hard: bool) -> Columns:
    low = (statistic.bounds or (0.0, 1.0))[0] if statistic.minus is None else -truth
    other = truth if hard else truth - 0.3 * (truth - low)
    if statistic.minus is None:
        values = _numbers(other, rng, statistic.bounds, (HEADS,))
        values[:, 3] = _numbers(truth, rng, statistic.bounds)
        return {statistic.column: values}
    values, minus = _pair(other, rng, statistic.bounds, (HEADS,))
    values[:, 3], minus[:, 3] = _pair(truth, rng, statistic.bounds)
    return {statistic.column: values, statistic.minus: minus}


@simulate.register
def _(statistic: LargestGap, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    names = np.array(statistic.categories)
    true = rng.choice(names, IMAGES)
    guessed = rng.random(IMAGES) < truth / (1 - 1 / len(names))
    return {statistic.truth: true, statistic.predicted: np.where(guessed, names[0], true)}


@simulate.register
def _(statistic: LargestSpread, truth: float, rng: np.random.Generator, hard: bool) -> Columns:  # noqa: ARG001
    group = np.arange(IMAGES) % 3
    right = rng.random(IMAGES) < np.where(group == 2, 0.9 - truth, 0.9)
    return {statistic.column: right, statistic.by: np.array(["a", "b", "c"])[group]}
