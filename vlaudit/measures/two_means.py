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


def gram(points: Float[Tensor, "problems points width"], valid: Valid) -> Gram:
    """Return the inner products of the centred points; padding has none. Distances do not depend on the centre."""
    weight = valid.unsqueeze(-1).to(points)
    mean = (points * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
    centred = (points - mean) * weight
    return centred @ centred.mT


def two_means(products: Gram, valid: Valid, draws: Float[Tensor, "problems restarts 2"]) -> Valid:
    """Divide each set of points into two clusters by Lloyd's algorithm; return who is in the second.

    `draws` are uniform numbers that seed the restarts by k-means++ (Arthur and Vassilvitskii 2007): the first centre is
    any point, the second one with probability proportional to its squared distance from the first. The restart of
    least inertia wins, the first of equals.
    """
    members = _seeded(products, valid, draws)
    for step in range(_STEPS):
        moved = _nearest(products, valid, members)
        done = step % _PATIENCE == _PATIENCE - 1 and torch.equal(moved, members)
        members = moved
        if done:
            break
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
    """Put every point to the nearer of the two means; a point half-way stays in the first cluster."""
    weight = valid.unsqueeze(1).to(products)
    indicators = torch.stack([weight - members, members])  # (clusters, problems, restarts, points)
    shares = indicators / indicators.sum(-1, keepdim=True).clamp(min=1)
    on_points = shares @ products  # inner product of each mean with every point
    size = (on_points * shares).sum(-1, keepdim=True)  # squared length of each mean
    distances = size - 2 * on_points
    alive = (indicators.sum(-1, keepdim=True) > 0).all(0)  # with one cluster empty there is nothing to move
    moved = (distances[1] < distances[0]) & valid.unsqueeze(1)
    return torch.where(alive, moved.to(products), members)


def _closeness(products: Gram, valid: Valid, members: Members) -> Float[Tensor, "problems restarts"]:
    """Return what is largest where inertia is least: the squared lengths of the means, weighted by their points."""
    indicators = torch.stack([valid.unsqueeze(1).to(products) - members, members])
    within = ((indicators @ products) * indicators).sum(-1)
    total: Tensor = (within / indicators.sum(-1).clamp(min=1)).sum(0)
    return total


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
