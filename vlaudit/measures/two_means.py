"""Batched 2-means clustering of many small sets of points, and its mutual information with given labels.

K-means needs only the inner products of the points. Each problem is one Gram matrix, which all restarts share, so that
a step of all restarts is one matrix product.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Gram = Float[Tensor, "problems points points"]
Valid = Bool[Tensor, "problems points"]
Members = Float[Tensor, "problems restarts points"]
"""1 for the points of the second cluster, 0 for the other points and for padding."""

_STEPS = 100
_CHECK_EVERY = 4  # steps between checks for convergence, because each check synchronizes the device
_COMPACT_BELOW = 0.8  # share of unconverged problems below which they are copied, because a copy costs time too


def centred(products: Gram, valid: Valid) -> Gram:
    """Return the inner products relative to the mean of the valid points; 0 for padding.

    Distances do not depend on the origin. With this origin the sums of the two clusters differ only in sign.
    """
    weight = valid.to(products)
    count = weight.sum(-1)
    rows = (products @ weight.unsqueeze(-1)).squeeze(-1) / count.unsqueeze(-1)
    grand = (rows * weight).sum(-1) / count
    moved = products - rows.unsqueeze(-1) - rows.unsqueeze(-2) + grand[:, None, None]
    return moved * (weight.unsqueeze(-1) * weight.unsqueeze(-2))


def two_means(products: Gram, valid: Valid, draws: Float[Tensor, "problems restarts 2"]) -> Valid:
    """Cluster each set of points into two by Lloyd's algorithm; return True for the points of the second cluster.

    `draws` are uniform numbers that seed the restarts by k-means++ (Arthur and Vassilvitskii 2007): the first centre is
    a uniformly random point, the second one has probability proportional to its squared distance from the first. The
    first restart with the lowest inertia is returned. Converged problems are removed from the following steps.
    """
    products = centred(products, valid)
    members = _seeded(products, valid, draws)
    active = torch.arange(len(members), device=members.device)
    matrices, masks, now = products, valid, members
    for step in range(_STEPS):
        moved = _nearest(matrices, masks, now)
        if step % _CHECK_EVERY == _CHECK_EVERY - 1:
            members[active] = moved
            changed = (moved != now).flatten(1).any(1)
            remaining = int(changed.sum())
            if remaining == 0:
                break
            if remaining < _COMPACT_BELOW * len(active):
                active, matrices, masks, moved = (x[changed] for x in (active, matrices, masks, moved))
        now = moved
    best = _between_cluster_sum(products, valid, members).argmax(1)
    return members[torch.arange(len(members), device=members.device), best] > 0.5


def _seeded(products: Gram, valid: Valid, draws: Float[Tensor, "problems restarts 2"]) -> Members:
    first = _pick(valid.to(products).unsqueeze(1).expand(-1, draws.shape[1], -1), draws[..., 0])
    to_first = _squared_distances(products, valid, first)
    second = _pick(to_first, draws[..., 1])
    to_second = _squared_distances(products, valid, second)
    return ((to_second < to_first) & valid.unsqueeze(1)).to(products)


def _pick(weights: Members, draws: Float[Tensor, "problems restarts"]) -> Tensor:
    """Return the index of a random point per draw, with probability proportional to its weight."""
    cumulative = weights.cumsum(-1)
    below = cumulative <= (draws * cumulative[..., -1]).unsqueeze(-1)
    return below.sum(-1).clamp(max=weights.shape[-1] - 1)


def _squared_distances(products: Gram, valid: Valid, centre: Tensor) -> Members:
    """Return the squared distance of every point from the point with index `centre`, per restart; 0 for padding."""
    own = products.diagonal(dim1=1, dim2=2)
    rows = products.gather(1, centre.unsqueeze(-1).expand(-1, -1, products.shape[-1]))
    distances = own.unsqueeze(1) - 2 * rows + own.gather(1, centre).unsqueeze(-1)
    return distances.clamp(min=0) * valid.unsqueeze(1)


def _nearest(products: Gram, valid: Valid, members: Members) -> Members:
    """Assign every point to the nearer of the two means; ties go to the first cluster.

    Let s be the inner products of the second cluster's sum with every point, q its squared length, and n1, n2 the
    sizes. The inner products with the means are -s/n1 and s/n2, so the second is nearer if s > q (1/n2 - 1/n1) / 2.
    """
    sums, length, first, second = _sums(products, valid, members)
    moved = sums > 0.5 * length * (1 / second.clamp(min=1) - 1 / first.clamp(min=1))
    defined = (first > 0) & (second > 0)  # an empty cluster has no mean
    return torch.where(defined, (moved & valid.unsqueeze(1)).to(products), members)


def _between_cluster_sum(products: Gram, valid: Valid, members: Members) -> Float[Tensor, "problems restarts"]:
    """Return the between-cluster sum of squares, which is largest for the lowest inertia."""
    _, length, first, second = _sums(products, valid, members)
    return (length * (1 / first.clamp(min=1) + 1 / second.clamp(min=1))).squeeze(-1)


def _sums(products: Gram, valid: Valid, members: Members) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return inner products of the second cluster's sum with the points, its squared length, and both sizes."""
    sums = members @ products
    second = members.sum(-1, keepdim=True)
    first = valid.sum(-1)[:, None, None] - second
    return sums, (sums * members).sum(-1, keepdim=True), first, second


def mutual_information(one: Valid, other: Valid, valid: Valid) -> Float[Tensor, "problems"]:
    """Return the normalised mutual information of two binary labellings, 0 to 1.

    The normalisation is the arithmetic mean of the entropies, scikit-learn's default. 0 if a labelling is constant.
    """
    counts = torch.stack(
        [torch.stack([(a & b & valid).sum(-1) for b in (~other, other)], -1) for a in (~one, one)], -2
    ).double()
    joint = counts / counts.sum((-1, -2), keepdim=True)
    rows, columns = joint.sum(-1), joint.sum(-2)
    information = _entropy(rows) + _entropy(columns) - _entropy(joint.flatten(1))
    total = _entropy(rows) + _entropy(columns)
    trivial = (_entropy(rows) == 0) | (_entropy(columns) == 0)
    return torch.where(trivial, 0.0, 2 * information / total.clamp(min=1e-30)).clamp(0, 1)


def _entropy(shares: Float[Tensor, "problems parts"]) -> Float[Tensor, "problems"]:
    return -torch.xlogy(shares, shares).sum(-1)
