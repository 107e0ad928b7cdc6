"""ALBEF's image encoder: the vision transformer of Dosovitskiy et al. 2021, as in timm 0.4.9 (DeiT-B/16)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vlaudit.errors import RequestError
from vlaudit.models.albef.config import VisionConfig
from vlaudit.models.attention import Encoded, Layers, attend, merge_heads, split_heads, wanted


class PatchEmbedding(nn.Module):
    """Cut an image into square patches, row by row, and map each to a vector."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        size = config.patch_size
        self.proj = nn.Conv2d(config.in_channels, config.width, kernel_size=size, stride=size)

    def forward(
        self, pixel_values: Float[Tensor, "batch channels height breadth"]
    ) -> Float[Tensor, "batch patches width"]:
        """Return the patch vectors."""
        patches: Tensor = self.proj(pixel_values)
        return patches.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention with one matrix for query, key and value, in that order."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.qkv_bias)
        self.proj = nn.Linear(config.width, config.width)

    def forward(
        self, hidden: Float[Tensor, "batch length width"], *, weights: bool = False
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch heads length length"] | None]:
        """Return the update and, on request, the probabilities."""
        query, key, value = (split_heads(part, self.heads) for part in self.qkv(hidden).chunk(3, dim=-1))
        context, probabilities = attend(query, key, value, weights=weights)
        return self.proj(merge_heads(context)), probabilities


class Mlp(nn.Module):
    """Two linear maps with the exact (erf) GELU between them."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.intermediate)
        self.fc2 = nn.Linear(config.intermediate, config.width)

    def forward(self, hidden: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        """Return the update."""
        update: Tensor = self.fc2(F.gelu(self.fc1(hidden)))
        return update


class Block(nn.Module):
    """A layer that normalises before attention and before the MLP."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.mlp = Mlp(config)

    def forward(
        self, hidden: Float[Tensor, "batch length width"], *, weights: bool = False
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch heads length length"] | None]:
        """Return the next states and, on request, the probabilities."""
        update, probabilities = self.attn(self.norm1(hidden), weights=weights)
        hidden = hidden + update
        return hidden + self.mlp(self.norm2(hidden)), probabilities


class VisionTransformer(nn.Module):
    """A [CLS] vector and patches, positions, blocks, and a final norm."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + config.grid**2, config.width))
        self.patch_embed = PatchEmbedding(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)

    def embed(
        self, pixel_values: Float[Tensor, "batch channels height breadth"]
    ) -> Float[Tensor, "batch length width"]:
        """Return [CLS] and the patches with their positions, the input of block 0."""
        wanted_shape = (self.config.in_channels, self.config.image_size, self.config.image_size)
        if tuple(pixel_values.shape[1:]) != wanted_shape:
            raise RequestError(
                f"pixel_values must have shape (batch, {', '.join(map(str, wanted_shape))}), got "
                f"{tuple(pixel_values.shape)}; resize the images, or load the checkpoint at their image_size"
            )
        patches = self.patch_embed(pixel_values)
        return torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1) + self.pos_embed

    def forward(
        self,
        pixel_values: Float[Tensor, "batch channels height breadth"],
        *,
        weights: Layers = False,
        states: Layers = False,
    ) -> Encoded:
        """Return the final-normed states, [CLS] first; `states` are those before the final norm."""
        hidden, kept, attention = self.embed(pixel_values), {}, {}
        for number, block in enumerate(self.blocks):
            if wanted(states, number):
                kept[number] = hidden
            hidden, probabilities = block(hidden, weights=wanted(weights, number))
            if probabilities is not None:
                attention[number] = probabilities
        if wanted(states, len(self.blocks)):
            kept[len(self.blocks)] = hidden
        return Encoded(self.norm(hidden), kept, attention)


def interpolate_positions(
    table: Float[Tensor, "1 positions width"], grid: int
) -> Float[Tensor, "1 new_positions width"]:
    """Return a position table for `grid` x `grid` patches: [CLS] kept, the others resized bicubically.

    ALBEF applies this when a checkpoint is loaded at another resolution, to online and momentum tables. A table that
    fits is returned unchanged.
    """
    old = round((table.shape[1] - 1) ** 0.5)
    if old == grid:
        return table
    patches = table[:, 1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(patches, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([table[:, :1], resized.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
