"""Batched k-means equals scikit-learn on each problem."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from vlaudit.measures.two_means import centred, mutual_information, two_means

some = settings(max_examples=40)


def divide(points, *, restarts=8, seed=0, padding=0):
    """Cluster one set of points, with some padding behind it."""
    padded = torch.cat([points, torch.full((padding, points.shape[1]), 7.0)])[None]
    valid = (torch.arange(len(points) + padding) < len(points))[None]
    draws = torch.from_numpy(np.random.default_rng(seed).random((1, restarts, 2))).float()
    found = two_means(padded @ padded.mT, valid, draws)
    assert not found[0, len(points) :].any()
    return found[0, : len(points)]


def inertia(points, members):
    parts = [points[members], points[~members]]
    return sum(float(((part - part.mean(0)) ** 2).sum()) for part in parts if len(part))


def cloud(seed, count, width, apart=0.0):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, width))
    points[: count // 2] += apart
    return torch.from_numpy(points).float()


@some
@given(st.integers(0, 10**6), st.integers(4, 40), st.integers(1, 20), st.integers(0, 5))
def test_inertia_is_near_the_best_that_scikit_learn_finds(seed, count, width, padding):
    """Both find local optima: ours is never much worse, for any points and padding."""
    points = cloud(seed, count, width)
    ours = inertia(points, divide(points, restarts=24, padding=padding))
    theirs = KMeans(2, n_init=16, random_state=0).fit(points.numpy()).inertia_
    assert ours <= theirs * 1.08 + 1e-4


@some
@given(st.integers(0, 10**6), st.integers(4, 40))
def test_separable_points_are_clustered_as_by_scikit_learn(seed, count):
    points = cloud(seed, count, 8, apart=30.0)
    members = divide(points).numpy()
    theirs = KMeans(2, n_init=3, random_state=0).fit(points.numpy()).labels_
    assert normalized_mutual_info_score(members, theirs) == pytest.approx(1)


def test_every_restart_ends_where_no_point_would_move():
    points = cloud(3, 30, 5)
    members = divide(points)
    centres = torch.stack([points[~members].mean(0), points[members].mean(0)])
    assert torch.equal(torch.cdist(points, centres).argmin(1).bool(), members)


def test_moving_all_points_moves_no_cluster():
    """Distances do not depend on where the origin lies."""
    points = cloud(5, 24, 6, apart=1.0)
    assert torch.equal(divide(points), divide(points + 5.0))


@some
@given(st.integers(0, 10**6), st.integers(2, 20), st.integers(0, 4))
def test_centring_is_that_of_the_points(seed, count, padding):
    points = cloud(seed, count, 5, apart=2.0)
    valid = (torch.arange(count + padding) < count)[None]
    padded = torch.cat([points, torch.ones(padding, 5)])
    plain = points - points.mean(0)
    found = centred((padded @ padded.T)[None], valid)[0]
    torch.testing.assert_close(found[:count, :count], plain @ plain.T, atol=1e-4, rtol=1e-4)
    assert not found[count:].any()
    assert not found[:, count:].any()


def test_equal_points_are_one_cluster():
    members = divide(torch.ones(6, 3))
    assert len(set(members.tolist())) == 1


def test_problems_do_not_disturb_each_other():
    """A batch gives what each of its problems gives alone."""
    sets = [cloud(seed, 12, 4) for seed in range(5)]
    valid = torch.ones(5, 12, dtype=torch.bool)
    draws = torch.rand(5, 6, 2, generator=torch.Generator().manual_seed(0))
    products = torch.stack([points @ points.T for points in sets])
    together = two_means(products, valid, draws)
    alone = [two_means(products[i : i + 1], valid[i : i + 1], draws[i : i + 1])[0] for i in range(5)]
    assert torch.equal(together, torch.stack(alone))


@some
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40), st.integers(0, 4))
def test_mutual_information_is_that_of_scikit_learn(pairs, padding):
    """Also for a trivial partition: 0, because it has no information (scikit-learn returns 1 for two trivial ones)."""
    one, other = (torch.tensor([*column, *[True] * padding])[None] for column in zip(*pairs, strict=True))
    valid = (torch.arange(len(pairs) + padding) < len(pairs))[None]
    found = float(mutual_information(one, other, valid)[0])
    columns = [list(column) for column in zip(*pairs, strict=True)]
    trivial = any(len(set(column)) == 1 for column in columns)
    assert found == pytest.approx(0 if trivial else normalized_mutual_info_score(*columns), abs=1e-9)
