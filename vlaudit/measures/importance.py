"""Modality importance: the attention of [CLS] on the text and on the image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RefusedSample
from vlaudit.measures.base import Measure, Numbers, Reduction, Requirement, Unit
from vlaudit.traces import Attention

_PER_HEAD = ("text_mass", "image_mass", "image_excess")
_PER_LAYER = ("text_mass_layer", "image_mass_layer", "text_mass_token", "image_mass_token")
_SHARES = ("image_share", "image_share_token")


@dataclass(frozen=True)
class ClsImportance(Measure):
    """Modality importance: the attention of [CLS] on the tokens of each modality, [CLS] and [SEP] left out.

    Defined if the keys of both modalities share one softmax. Columns:

    - `text_mass` and `image_mass`, (layers, heads): sums over the tokens of the caption, and over the regions,
      including a global region if the model has one; `image_excess` is image minus text;
    - `text_mass_layer`, `image_mass_layer`, (layers,): means over heads;
    - `text_mass_token`, `image_mass_token`, (layers,): the same, divided by the number of tokens of the modality;
    - `image_share`, one number: the image's share of the mass on both, over all heads and layers;
    - `image_share_token`: the same for the masses per token. This compares with uniform attention over the same tokens,
      for which it is 0.5 for any numbers of them: the odds of the shares over the odds under uniform attention are
      `image_share_token / (1 - image_share_token)`.

    Both shares are 0 if no mass is on the image.

    Source: VALUE 3.2, Figures 3 and 4a. Differs: the paper shows masses only. It has 36 regions to about a dozen
    words, so the text's share per token is larger than its figures suggest; both are given here.
    """

    needs = frozenset({Attention("text", "text"), Attention("text", "image")})
    requires = frozenset[Requirement]({"joint softmax"})

    def columns(self, conditions: Iterable[str]) -> frozenset[str]:
        """Return the names of the masses and shares, which do not depend on the name of the condition."""
        return frozenset({*_PER_HEAD, *_PER_LAYER, *_SHARES})

    def reduce(self, batch: Sequence[Reduction]) -> Sequence[Numbers]:
        """Return the masses of [CLS] in each trace; one transfer per batch."""
        masses = torch.stack([_masses(reduction) for reduction in batch]).cpu()
        return [_numbers(own, _counts(reduction)) for own, reduction in zip(masses, batch, strict=True)]

    def row(self, unit: Unit, conditions: Mapping[str, Numbers]) -> Numbers:
        """Return the numbers of the one condition; raise `RefusedSample` if one modality has no token."""
        (numbers,) = conditions.values()
        if not numbers:
            raise RefusedSample(unit.sample.id, "its caption or its image has no tokens")
        return numbers


def _masses(reduction: Reduction) -> Float[Tensor, "2 layers heads"]:
    """Return the mass of [CLS] on text and image."""
    trace = reduction.trace
    on_text = trace[Attention("text", "text")][:, :, 0, list(trace.text.text)].float().sum(-1)
    on_image = trace[Attention("text", "image")][:, :, 0].float().sum(-1)
    return torch.stack([on_text, on_image])


def _counts(reduction: Reduction) -> tuple[int, int]:
    """Return the numbers of text and image tokens."""
    return len(reduction.trace.text.text), len(reduction.trace.image or ())


def _numbers(masses: Float[Tensor, "2 layers heads"], counts: tuple[int, int]) -> Numbers:
    if not all(counts):
        return {}
    text, image = masses
    layers = masses.mean(-1)
    per_token = layers / torch.tensor(counts)[:, None]
    return {
        "text_mass": text.tolist(),
        "image_mass": image.tolist(),
        "image_excess": (image - text).tolist(),
        "text_mass_layer": layers[0].tolist(),
        "image_mass_layer": layers[1].tolist(),
        "text_mass_token": per_token[0].tolist(),
        "image_mass_token": per_token[1].tolist(),
        "image_share": _share(layers),
        "image_share_token": _share(per_token),
    }


def _share(by_layer: Float[Tensor, "2 layers"]) -> float:
    """Return the image's share of the mass; 0 if the mass on both is zero, because the image has none."""
    text, image = by_layer.sum(-1).tolist()
    return 0.0 if image == 0 else float(image / (text + image))  # NaN stays NaN
