"""Separability of text and image token states in a layer: NMI between 2-means clusters and modality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.measures.base import Measure, Numbers, Reduction, Unit
from vlaudit.measures.two_means import mutual_information, two_means
from vlaudit.seeds import generator
from vlaudit.traces import Attention, Hidden, Reading

Products = Float[Tensor, "samples stages points points"]
Curves = Float[Tensor, "samples stages"]

_CROSS = Attention("text", "image")
_GRAM_VALUES = {"cpu": 2**20, "cuda": 2**24}
"""Number of values of Gram matrices per batch. On a CPU, 4 MB fit into the cache, which is three times faster."""


@dataclass(frozen=True)
class ModalityClusters(Measure):
    """NMI between the 2-means clusters of a stage's token states and their modality, for each stage of a trace.

    Columns, each (stages,): `nmi` balanced and layer-normalised (what criteria read), `nmi_raw` balanced, `nmi_full`
    and `nmi_full_raw` with all tokens. 1: the clusters equal the modalities; 0: they are independent of them.

    - Balanced: the longer modality (usually the image) is subsampled to the length of the shorter one; the mean over
      `draws` random subsets from a generator seeded per unit. With 257 image and 12 text tokens, 2-means would
      split the image instead.
    - Layer-normalised: every token has mean 0 and variance 1 over its components (no learned scale).
    - `image` selects the image states that are compared with the text states of a stage. "each": those of the same
      stage, counted from the last if one modality has fewer, for models that update both modalities. "final": the
      last ones at every stage, for models that fuse by reading final image states; the numbers then describe a drift
      of text towards the image, and the columns are called `drift`, `drift_raw`, and so on. "cross": as "each", but
      only after the layers in which text attends to image: the cross-modality layers of two-stream models. Units with
      text and image states of unequal width are refused.

    [CLS], [SEP] and the global image position are left out.

    Source: VALUE 3.1, Table 1. Differs: the paper does not state how unequal numbers of tokens were treated, nor
    whether states were normalised; both matter, so all four are measured. Best of `restarts` by k-means++ (as
    scikit-learn's `KMeans`), batched over samples, stages, subsets and restarts.
    """

    image: Literal["each", "final", "cross"] = "each"
    draws: int = 4
    restarts: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1 or self.restarts < 1:
            raise UsageError(f"draws and restarts must be at least 1, got {self.draws} and {self.restarts}")

    @property
    def needs(self) -> frozenset[Reading]:
        """States of both modalities; with "cross" the attention of text on image too, which counts the layers."""
        return frozenset({Hidden("text"), Hidden("image"), *([_CROSS] if self.image == "cross" else [])})

    @property
    def _name(self) -> str:
        return "drift" if self.image == "final" else "nmi"

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return the names of the four curves, which do not depend on the name of the condition."""
        return frozenset(f"{self._name}{suffix}" for suffix in ("", "_raw", "_full", "_full_raw"))

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the four curves of each trace, with as many traces at once as memory allows.

        A trace with states that cannot be compared gives an empty mapping.
        """
        tokens = [self._tokens(reduction) for reduction in batch]
        found: list[Numbers] = [{} for _ in batch]
        waiting = [i for i, one in enumerate(tokens) if one.comparable]
        while waiting:
            now = waiting[: _batch_size([tokens[i] for i in waiting])]
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
        text = text[:, list(reduction.trace.text.text)].float()
        image = (image[:, list(axis.places)] if axis is not None else image[:, :0]).float()
        if self.image == "final":
            return _Tokens(text, image[-1:])
        stages = min(len(text), len(image), *([len(reduction.trace[_CROSS])] if self.image == "cross" else []))
        return _Tokens(text[-stages:], image[-stages:])

    def _curves(self, units: Sequence[Unit], tokens: Sequence[_Tokens]) -> list[Numbers]:
        chances = [self._chances(unit, one) for unit, one in zip(units, tokens, strict=True)]
        batch = _Batch.of(tokens)
        curves: dict[str, Tensor] = {}
        for suffix, normalised in (("", True), ("_raw", False)):
            products = batch.products(normalised=normalised)
            curves[f"{self._name}_full{suffix}"] = self._full(products, batch, chances)
            curves[f"{self._name}{suffix}"] = self._balanced(products, batch, chances)
        arrays = {name: curve.cpu().tolist() for name, curve in curves.items()}
        return [{name: curve[i] for name, curve in arrays.items()} for i in range(len(tokens))]

    def _chances(self, unit: Unit, tokens: _Tokens) -> _Chances:
        """Return the random numbers of a unit: the tokens of each subset, and the uniform numbers of the restarts."""
        rng = generator(self.seed, "modality clusters", unit.id)
        counts = tokens.text.shape[1], tokens.image.shape[1]
        subsets = [[rng.permutation(count)[: tokens.balanced] for count in counts] for _ in range(self.draws)]
        return _Chances(np.array(subsets), rng.random((self.draws + 1, self.restarts, 2)))

    def _full(self, products: Products, batch: _Batch, chances: Sequence[_Chances]) -> Curves:
        """Return the NMI with all tokens."""
        samples, stages = products.shape[:2]
        draws = torch.from_numpy(np.stack([chance.uniform[0] for chance in chances])).to(products)
        valid, modality, draws = (x.repeat_interleave(stages, 0) for x in (batch.valid, batch.modality, draws))
        found = two_means(products.flatten(0, 1), valid, draws)
        return mutual_information(found, modality, valid).reshape(samples, stages)

    def _balanced(self, products: Products, batch: _Batch, chances: Sequence[_Chances]) -> Curves:
        """Return the mean NMI over the subsets; the Gram matrix of a subset is a slice of the full one."""
        subsets, valid, modality = _padded_subsets(chances, batch)
        samples, stages = products.shape[:2]
        size, shape = subsets.shape[-1], (samples, stages, self.draws)
        index = subsets[:, None].expand(*shape, size)
        wide = index[..., None].expand(*shape, size, products.shape[-1])
        rows = products[:, :, None].expand(*shape, -1, -1).gather(3, wide)
        grams = rows.gather(4, index[..., None, :].expand(*shape, size, size))
        masks, kinds = (x[:, None, None].expand(*shape, size) for x in (valid, modality))
        draws = torch.from_numpy(np.stack([chance.uniform[1:] for chance in chances])).to(products)
        draws = draws[:, None].expand(*shape, -1, -1)
        parts = [part.flatten(0, 2) for part in (grams, masks, kinds, draws)]
        found = two_means(parts[0], parts[1], parts[3])
        return mutual_information(found, parts[2], parts[1]).reshape(shape).mean(-1)


@dataclass(frozen=True, eq=False)
class _Tokens:
    """States of one trace, (stages, tokens, width); the image has one stage if all stages share its states."""

    text: Tensor
    image: Tensor

    @property
    def comparable(self) -> bool:
        """True if both modalities have tokens and their states have equal width."""
        return self.balanced > 0 and self.text.shape[-1] == self.image.shape[-1]

    @property
    def balanced(self) -> int:
        """Number of tokens per modality in a balanced subset."""
        return min(self.text.shape[1], self.image.shape[1])

    @property
    def points(self) -> int:
        """Number of tokens."""
        return int(self.text.shape[1] + self.image.shape[1])


@dataclass(frozen=True, eq=False)
class _Batch:
    """Tokens of many traces, padded: text before image. `valid` is False for padding, `modality` True for image."""

    text: Float[Tensor, "samples stages text width"]
    image: Float[Tensor, "samples _ image width"]
    valid: Bool[Tensor, "samples points"]

    @classmethod
    def of(cls, tokens: Sequence[_Tokens]) -> _Batch:
        text, text_valid = _padded([one.text for one in tokens])
        image, image_valid = _padded([one.image for one in tokens])
        return cls(text, image, torch.cat([text_valid, image_valid], dim=1))

    @property
    def modality(self) -> Bool[Tensor, "samples points"]:
        modality = torch.zeros_like(self.valid)
        modality[:, self.text.shape[2] :] = True
        return modality

    def products(self, *, normalised: bool) -> Products:
        """Return the inner products of all tokens of a stage; products within a shared image are computed once.

        The origin is the image's mean token, so that single precision suffices for states far from zero.
        """
        text, image = (_normalised(x) if normalised else x for x in (self.text, self.image))
        valid = self.valid[:, None, self.text.shape[2] :, None].to(image)
        origin = (image * valid).sum(2, keepdim=True) / valid.sum(2, keepdim=True)
        text, image = text - origin, (image - origin) * valid
        across = text @ image.mT
        within = (image @ image.mT).expand(-1, text.shape[1], -1, -1)
        return torch.cat([torch.cat([text @ text.mT, across], -1), torch.cat([across.mT, within], -1)], -2)


@dataclass(frozen=True, eq=False)
class _Chances:
    """Random numbers of a unit: the text and image tokens of each subset, and uniform numbers per run of k-means."""

    subsets: Int[np.ndarray, "draws 2 tokens"]
    uniform: Float[np.ndarray, "runs restarts 2"]


def _batch_size(states: Sequence[_Tokens]) -> int:
    """Return the number of leading traces that can be clustered at once."""
    most, room = 0, _GRAM_VALUES.get(states[0].text.device.type, _GRAM_VALUES["cuda"])
    for count, tokens in enumerate(states):
        most = max(most, len(tokens.text) * tokens.points**2)
        if count and most * (count + 1) > room:
            return count
    return len(states)


def _padded(
    states: Sequence[Float[Tensor, "stages _ width"]],
) -> tuple[Float[Tensor, "samples stages tokens width"], Bool[Tensor, "samples tokens"]]:
    """Return states padded to the same number of tokens, and a mask that is False for padding."""
    counts = torch.tensor([one.shape[1] for one in states], device=states[0].device)
    rows = pad_sequence([one.transpose(0, 1) for one in states], batch_first=True)
    valid = torch.arange(rows.shape[1], device=counts.device) < counts[:, None]
    return rows.transpose(1, 2), valid


def _padded_subsets(
    chances: Sequence[_Chances], batch: _Batch
) -> tuple[Int[Tensor, "samples draws points"], Bool[Tensor, "samples points"], Bool[Tensor, "samples points"]]:
    """Return the indices of every subset in the padded tokens, a mask that is False for padding, and the modality."""
    most, shift = max(chance.subsets.shape[2] for chance in chances), batch.text.shape[2]
    index = np.zeros((len(chances), len(chances[0].subsets), 2, most), dtype=np.int64)
    valid = np.zeros((len(chances), 2, most), dtype=bool)
    for i, chance in enumerate(chances):
        count = chance.subsets.shape[2]
        index[i, ..., :count] = chance.subsets + np.array([[0], [shift]])
        valid[i, :, :count] = True
    kinds = np.broadcast_to(np.array([[False], [True]]), valid.shape)
    found = [index.reshape(*index.shape[:2], -1), valid.reshape(len(valid), -1), kinds.reshape(len(valid), -1)]
    subsets, mask, modality = (torch.from_numpy(array).to(batch.text.device) for array in found)
    return subsets, mask, modality


def _normalised(points: Float[Tensor, "samples stages points width"]) -> Float[Tensor, "samples stages points width"]:
    return torch.nn.functional.layer_norm(points, points.shape[-1:])
