"""2-means of many small sets of points at once, and its agreement with a given division of the points.

Everything that k-means needs of the points are their inner products, and those are shared by all restarts and all
subsets of the same points: each problem is one Gram matrix, and a step for all restarts is one matrix product.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Gram = Float[Tensor, "problems points points"]
Valid = Bool[Tensor, "problems points"]
Members = Float[Tensor, "problems restarts points"]
"""1 where a point belongs to the second cluster, 0 elsewhere; padding belongs to none."""

_STEPS = 100
_PATIENCE = 4  # steps between two looks at whether anything still moves: each look waits for the device
_WORTH = 0.8  # go on with fewer problems where at least a fifth has settled: copying the others costs time too


def centred(products: Gram, valid: Valid) -> Gram:
    """Return the inner products as they are with the mean of the valid points for an origin; 0 for padding.

    Distances do not depend on the origin, and with this one a cluster's sum is the other's, with the other sign.
    """
    weight = valid.to(products)
    count = weight.sum(-1)
    rows = (products @ weight.unsqueeze(-1)).squeeze(-1) / count.unsqueeze(-1)
    grand = (rows * weight).sum(-1) / count
    moved = products - rows.unsqueeze(-1) - rows.unsqueeze(-2) + grand[:, None, None]
    return moved * (weight.unsqueeze(-1) * weight.unsqueeze(-2))


def two_means(products: Gram, valid: Valid, draws: Float[Tensor, "problems restarts 2"]) -> Valid:
    """Divide each set of points into two clusters by Lloyd's algorithm; return who is in the second.

    `draws` are uniform numbers that seed the restarts by k-means++ (Arthur and Vassilvitskii 2007): the first centre is
    any point, the second one with probability proportional to its squared distance from the first. The restart of
    least inertia wins, the first of equals. Problems that have settled are set aside while the others go on.
    """
    products = centred(products, valid)
    members = _seeded(products, valid, draws)
    going = torch.arange(len(members), device=members.device)
    matrices, known, now = products, valid, members
    for step in range(_STEPS):
        moved = _nearest(matrices, known, now)
        if step % _PATIENCE == _PATIENCE - 1:
            members[going] = moved
            unsettled = (moved != now).flatten(1).any(1)
            left = int(unsettled.sum())
            if left == 0:
                break
            if left < _WORTH * len(going):
                going, matrices, known, moved = (x[unsettled] for x in (going, matrices, known, moved))
        now = moved
    best = _closeness(products, valid, members).argmax(1)
    return members[torch.arange(len(members), device=members.device), best] > 0.5


def _seeded(products: Gram, valid: Valid, draws: Float[Tensor, "problems restarts 2"]) -> Members:
    first = _pick(valid.to(products).unsqueeze(1).expand(-1, draws.shape[1], -1), draws[..., 0])
    to_first = _squared_distances(products, valid, first)
    second = _pick(to_first, draws[..., 1])
    to_second = _squared_distances(products, valid, second)
    return ((to_second < to_first) & valid.unsqueeze(1)).to(products)


def _pick(weights: Members, draws: Float[Tensor, "problems restarts"]) -> Tensor:
    """Return the index of a point for each draw, points weighted; any valid one where all weights are 0."""
    cumulative = weights.cumsum(-1)
    below = cumulative <= (draws * cumulative[..., -1]).unsqueeze(-1)
    return below.sum(-1).clamp(max=weights.shape[-1] - 1)


def _squared_distances(products: Gram, valid: Valid, centre: Tensor) -> Members:
    """Return the squared distance of every point from the point `centre` of its restart; 0 for padding."""
    own = products.diagonal(dim1=1, dim2=2)
    rows = products.gather(1, centre.unsqueeze(-1).expand(-1, -1, products.shape[-1]))
    distances = own.unsqueeze(1) - 2 * rows + own.gather(1, centre).unsqueeze(-1)
    return distances.clamp(min=0) * valid.unsqueeze(1)


def _nearest(products: Gram, valid: Valid, members: Members) -> Members:
    """Put every point to the nearer of the two means; a point half-way goes to the first cluster.

    With s the inner products of the second cluster's sum with every point, q its squared length, and n1, n2 the sizes,
    the means are s/n2 and -s/n1: a point is nearer to the second where s > q (1/n2 - 1/n1) / 2.
    """
    sums, length, first, second = _sums(products, valid, members)
    moved = sums > 0.5 * length * (1 / second.clamp(min=1) - 1 / first.clamp(min=1))
    alive = (first > 0) & (second > 0)  # with one cluster empty there is nothing to move
    return torch.where(alive, (moved & valid.unsqueeze(1)).to(products), members)


def _closeness(products: Gram, valid: Valid, members: Members) -> Float[Tensor, "problems restarts"]:
    """Return what is largest where inertia is least: the squared lengths of the means, weighted by their points."""
    _, length, first, second = _sums(products, valid, members)
    return (length * (1 / first.clamp(min=1) + 1 / second.clamp(min=1))).squeeze(-1)


def _sums(products: Gram, valid: Valid, members: Members) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the second cluster's sum times every point, its squared length, and the sizes of both clusters."""
    sums = members @ products
    second = members.sum(-1, keepdim=True)
    first = valid.sum(-1)[:, None, None] - second
    return sums, (sums * members).sum(-1, keepdim=True), first, second


def mutual_information(one: Valid, other: Valid, valid: Valid) -> Float[Tensor, "problems"]:
    """Return the normalised mutual information of two divisions into two, 0 to 1.

    Twice the mutual information over the sum of the entropies, as scikit-learn has it by default; 0 where one of the
    divisions leaves everything in one part.
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
