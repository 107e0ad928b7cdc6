"""ViLT (Kim et al. 2021) as transformers computes it: one stack, one softmax over the caption and then the patches.

The class samples and shuffles patches, even with `max_image_length` -1. Here every patch is read, row by row: equal to
the class up to the order of patches, and deterministic. Images keep their aspect ratio. States precede the final norm.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from vlaudit.errors import RequestError
from vlaudit.models.hf.folder import Kind
from vlaudit.models.hf.outputs import TransformersNetwork, one_stack_layout, run_one_stack
from vlaudit.models.streams.contract import Inputs, Layout, Streams, Wanted
from vlaudit.models.streams.pixels import HALF, PixelLayout


class ViltNetwork(TransformersNetwork):
    """A class of transformers around a `ViltModel`, as a `JointNetwork` without heads."""

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs."""
        return one_stack_layout(self.model.config, pixels=self.pixels, words=False, match=None)

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Run a pass."""
        images = {"image_embeds": self._patches(inputs), "pixel_mask": inputs.present}
        return run_one_stack(self.model.vilt, inputs, wanted, **images)

    def _patches(self, inputs: Inputs) -> Float[Tensor, "batch positions width"]:
        """Embed [CLS] and the real patches of each image, with the position table resized to its grid."""
        if inputs.pixels is None:
            raise RequestError("ViLT reads pixels, got none")
        embeddings = self.model.vilt.embeddings
        first, table = embeddings.position_embeddings[0].split([1, len(embeddings.position_embeddings[0]) - 1])
        table = table.T.unflatten(1, (math.isqrt(len(table)), -1))[None]
        images = []
        for patches, (rows, columns) in zip(embeddings.patch_embeddings(inputs.pixels), inputs.grids, strict=True):
            places = F.interpolate(table, size=(rows, columns), mode="bilinear", align_corners=True)[0]
            seen = (patches[:, :rows, :columns] + places).flatten(1).T
            images.append(torch.cat([embeddings.cls_token[0] + first, seen]))
        return pad_sequence(images, batch_first=True)


class ViltWords(ViltNetwork):
    """`ViltForMaskedLM`."""

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs."""
        return replace(super().layout, words=True)

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Return one logit per word at these text states."""
        logits: Tensor = self.model.mlm_score(states)
        return logits


class ViltRanking(ViltNetwork):
    """`ViltForImageAndTextRetrieval`, whose single logit ranks captions."""

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs."""
        return replace(super().layout, match="score")

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 1"]:
        """Return the ranking score from the pooled [CLS]."""
        logits: Tensor = self.model.rank_output(self.model.vilt.pooler(streams.text))
        return logits


TABLE = "vilt.embeddings.text_embeddings.word_embeddings.weight"
VILT_WORDS = Kind(
    *("ViLT", "vilt", "ViltForMaskedLM", ViltWords),
    aliases={"mlm_score.decoder.weight": TABLE, "mlm_score.bias": "mlm_score.decoder.bias"},
    pixels=PixelLayout(384, 32, HALF, HALF, keep_aspect=True),
)
VILT_RANKING = replace(VILT_WORDS, model_class="ViltForImageAndTextRetrieval", network=ViltRanking, aliases={})
