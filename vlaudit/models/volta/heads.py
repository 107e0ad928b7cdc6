"""The heads of a VOLTA model: masked words, region classes, and whether caption and image belong together."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vlaudit.models.volta.config import VoltaConfig


class Pooler(nn.Module):
    """The first state of a modality through a linear map and a ReLU (BERT has a tanh here)."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.pooler_size)

    def forward(self, states: Float[Tensor, "batch positions width"]) -> Float[Tensor, "batch pooled"]:
        """Return the pooled state."""
        return F.relu(self.dense(states[:, 0]))


class Transform(nn.Module):
    """A linear map, the exact GELU and, but for the region head of ctrl_vl-bert, a norm."""

    def __init__(self, config: VoltaConfig, *, norm: bool = True) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if norm else None

    def forward(self, states: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes width"]:
        """Return the transformed states."""
        transformed = F.gelu(self.dense(states))
        return transformed if self.LayerNorm is None else self.LayerNorm(transformed)


class WordPredictions(nn.Module):
    """The masked-word head; its matrix is the word table, published a second time as `decoder.weight`."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.transform = Transform(config)

    def forward(
        self, states: Float[Tensor, "*axes width"], table: Float[Tensor, "vocabulary width"]
    ) -> Float[Tensor, "*axes vocabulary"]:
        """Return logits over the vocabulary."""
        return F.linear(self.transform(states), table, self.bias)


class RegionPredictions(nn.Module):
    """The head that names the detector's class of a region; class 0 is background."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__()
        self.transform = Transform(config, norm=config.image_head_ln)
        # "0" is the official number of the kind of target, the detector's distribution over classes.
        self.decoder_dict = nn.ModuleDict({"0": nn.Linear(config.hidden_size, config.mrc_num_classes)})

    def forward(self, states: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes classes"]:
        """Return logits over the detector's classes."""
        logits: Tensor = self.decoder_dict["0"](self.transform(states))
        return logits


class Heads(nn.Module):
    """All heads, under their published names."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__()
        self.predictions = WordPredictions(config)
        self.bi_seq_relationship = nn.Linear(config.pooler_size, 2)
        self.imagePredictions = RegionPredictions(config)
