"""Whether the token states of a layer fall apart into text and image: NMI between 2-means clusters and modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.measures.base import Numbers, Reduction, Unit
from vlaudit.measures.two_means import gram, mutual_information, two_means
from vlaudit.seeds import generator
from vlaudit.traces import Hidden

_GRAM_VALUES = 2**24  # values of Gram matrices in memory at once: 64 MB


@dataclass(frozen=True)
class ModalityClusters:
    """NMI between the 2-means clusters of a stage's token states and their modality, for every stage of one trace.

    Columns, each (stages,): `nmi` balanced and layer-normalised (what criteria read), `nmi_raw` balanced, `nmi_full`
    and `nmi_full_raw` with all tokens. 1: the clusters are the modalities; 0: they have nothing to do with them.

    - Balanced: the longer modality is subsampled to the length of the shorter one (image to caption, as a rule); the
      mean over `draws` subsets that belong to the unit. With 257 image and 12 text tokens, 2-means splits the image
      instead.
    - Layer-normalised: every token has mean 0 and variance 1 over its components (no learned scale).
    - `image` says which image states stand beside the text states of a stage. "each": those of the same stage,
      counted from the last where there are fewer of one, for models that update both modalities. "final": the last ones
      at every stage, for models whose fusion layers read finished image states; the numbers then tell a drift of text
      towards the image, and the columns are called `drift`, `drift_raw`, and so on. Refused where the states differ in
      width: they lie in no common space.

    [CLS], [SEP] and what stands for the whole image are left out.

    Source: VALUE 3.1, Table 1. Differs: the paper does not say how tokens of unequal number were treated, nor whether
    states were normalised; both matter, so all four are measured. Best of `restarts` by k-means++ (as
    scikit-learn's `KMeans`), batched over samples, stages, subsets and restarts.
    """

    image: Literal["each", "final"] = "each"
    draws: int = 4
    restarts: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1 or self.restarts < 1:
            raise UsageError(f"draws and restarts must be at least 1, got {self.draws} and {self.restarts}")

    @property
    def _name(self) -> str:
        return "nmi" if self.image == "each" else "drift"

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the four curves of each trace, as many at once as memory allows; nothing where there are none."""
        tokens = [self._tokens(reduction) for reduction in batch]
        found: list[Numbers] = [{} for _ in batch]
        waiting = [i for i, one in enumerate(tokens) if one.comparable]
        while waiting:
            now = waiting[: _that_fit([tokens[i] for i in waiting])]
            curves = self._curves([batch[i].unit for i in now], [tokens[i] for i in now])
            for i, curve in zip(now, curves, strict=True):
                found[i] = curve
            waiting = waiting[len(now) :]
        return found

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the curves of the one condition."""
        (numbers,) = conditions.values()
        if not numbers:
            raise RefusedSample(
                unit.sample.id, "its text and image states cannot be compared: unequal width, or no tokens of one"
            )
        return numbers

    def _tokens(self, reduction: Reduction) -> _Tokens:
        text, image = reduction.trace[Hidden("text")], reduction.trace[Hidden("image")]
        axis = reduction.trace.image
        text = text[:, list(reduction.trace.text.text)]
        image = image[:, list(axis.places)] if axis is not None else image[:, :0]
        if self.image == "final":
            image = image[-1:].expand(len(text), -1, -1)
        stages = min(len(text), len(image))
        return _Tokens(text[-stages:], image[-stages:])

    def _curves(self, units: Sequence[Unit], tokens: Sequence[_Tokens]) -> list[Numbers]:
        chances = [self._chances(unit, one) for unit, one in zip(units, tokens, strict=True)]
        points, modality, valid = _padded(tokens)
        samples, stages = points.shape[:2]
        curves: dict[str, Tensor] = {}
        for suffix, form in (("", _normalised(points)), ("_raw", points)):
            products = gram(form.flatten(0, 1), valid.repeat_interleave(stages, 0))
            products = products.reshape(samples, stages, *products.shape[1:])
            curves[f"{self._name}_full{suffix}"] = self._nmi(products, modality, valid, chances)
            curves[f"{self._name}{suffix}"] = self._balanced(products, modality, chances)
        arrays = {name: curve.cpu().tolist() for name, curve in curves.items()}
        return [{name: curve[i] for name, curve in arrays.items()} for i in range(samples)]

    def _chances(self, unit: Unit, tokens: _Tokens) -> _Chances:
        """Draw what belongs to the unit: which tokens stay, and the uniform numbers that seed the restarts."""
        rng = generator(self.seed, "modality clusters", unit.id)
        counts = tokens.text.shape[1], tokens.image.shape[1]
        kept = [[rng.permutation(count)[: tokens.balanced] for count in counts] for _ in range(self.draws)]
        subsets = np.array([np.concatenate([text, counts[0] + image]) for text, image in kept])
        return _Chances(subsets, rng.random((self.draws + 1, self.restarts, 2)))

    def _nmi(
        self,
        products: Float[Tensor, "samples stages points points"],
        modality: Bool[Tensor, "samples points"],
        valid: Bool[Tensor, "samples points"],
        chances: Sequence[_Chances],
    ) -> Float[Tensor, "samples stages"]:
        """Return the NMI with all tokens."""
        draws = torch.from_numpy(np.stack([chance.uniform[0] for chance in chances])).to(products)
        stages = products.shape[1]
        flat_valid, flat_modality = (x.repeat_interleave(stages, 0) for x in (valid, modality))
        found = two_means(products.flatten(0, 1), flat_valid, draws.repeat_interleave(stages, 0))
        return mutual_information(found, flat_modality, flat_valid).reshape(len(products), stages)

    def _balanced(
        self,
        products: Float[Tensor, "samples stages points points"],
        modality: Bool[Tensor, "samples points"],
        chances: Sequence[_Chances],
    ) -> Float[Tensor, "samples stages"]:
        """Return the mean NMI over the subsets: each is a part of the Gram matrix, cut out, not computed again."""
        subsets, valid = _padded_subsets([chance.subsets for chance in chances], products.device)
        samples, stages = products.shape[:2]
        size, shape = subsets.shape[-1], (samples, stages, self.draws)
        index = subsets[:, None].expand(*shape, size)
        rows = (
            products[:, :, None]
            .expand(*shape, -1, -1)
            .gather(3, index[..., None].expand(*shape, size, products.shape[-1]))
        )
        cut = rows.gather(4, index[..., None, :].expand(*shape, size, size))
        known = valid[:, None, None].expand(*shape, size)
        cut = cut * (known[..., None] & known[..., None, :])
        kinds = modality[:, None, None].expand(*shape, -1).gather(3, index)
        draws = torch.from_numpy(np.stack([chance.uniform[1:] for chance in chances])).to(products)
        draws = draws[:, None].expand(*shape, -1, -1)
        parts = [part.flatten(0, 2) for part in (cut, known, draws, kinds)]
        found = two_means(parts[0], parts[1], parts[2])
        return mutual_information(found, parts[3], parts[1]).reshape(shape).mean(-1)


@dataclass(frozen=True, eq=False)
class _Tokens:
    """States of one trace: text (stages, text tokens, width) and image (stages, places, width)."""

    text: Tensor
    image: Tensor

    @property
    def comparable(self) -> bool:
        """Whether there are tokens of both, in one space."""
        return self.balanced > 0 and self.text.shape[-1] == self.image.shape[-1]

    @property
    def balanced(self) -> int:
        """How many tokens of each modality stay in a balanced subset."""
        return min(self.text.shape[1], self.image.shape[1])

    @property
    def points(self) -> int:
        """How many tokens there are."""
        return int(self.text.shape[1] + self.image.shape[1])


@dataclass(frozen=True, eq=False)
class _Chances:
    """What was drawn for a unit: (draws, 2 * balanced) indices of tokens, and (1 + draws, restarts, 2) numbers."""

    subsets: Int[np.ndarray, "draws points"]
    uniform: Float[np.ndarray, "runs restarts 2"]


def _that_fit(states: Sequence[_Tokens]) -> int:
    """Return how many of the first traces can be clustered at once."""
    most = 0
    for count, tokens in enumerate(states):
        most = max(most, len(tokens.text) * tokens.points**2)
        if count and most * (count + 1) > _GRAM_VALUES:
            return count
    return len(states)


def _padded(
    tokens: Sequence[_Tokens],
) -> tuple[
    Float[Tensor, "samples stages points width"], Bool[Tensor, "samples points"], Bool[Tensor, "samples points"]
]:
    """Return all tokens padded to the same number, which of them are of the image, and which are no padding."""
    stages, most = len(tokens[0].text), max(one.points for one in tokens)
    device = tokens[0].text.device
    points = torch.zeros(len(tokens), stages, most, tokens[0].text.shape[-1], device=device)
    modality, valid = (torch.zeros(len(tokens), most, dtype=torch.bool, device=device) for _ in range(2))
    for i, one in enumerate(tokens):
        points[i, :, : one.points] = torch.cat([one.text, one.image], dim=1).float()
        modality[i, one.text.shape[1] : one.points] = True
        valid[i, : one.points] = True
    return points, modality, valid


def _padded_subsets(
    subsets: Sequence[Int[np.ndarray, "draws _"]], device: torch.device
) -> tuple[Int[Tensor, "samples draws points"], Bool[Tensor, "samples points"]]:
    most = max(subset.shape[1] for subset in subsets)
    index = np.zeros((len(subsets), len(subsets[0]), most), dtype=np.int64)
    valid = np.zeros((len(subsets), most), dtype=bool)
    for i, subset in enumerate(subsets):
        index[i, :, : subset.shape[1]] = subset
        valid[i, : subset.shape[1]] = True
    return torch.from_numpy(index).to(device), torch.from_numpy(valid).to(device)


def _normalised(points: Float[Tensor, "samples stages points width"]) -> Float[Tensor, "samples stages points width"]:
    return torch.nn.functional.layer_norm(points, points.shape[-1:])
