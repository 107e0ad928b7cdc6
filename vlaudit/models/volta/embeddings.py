"""Caption and region embeddings of the five controlled models."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vlaudit.errors import RequestError
from vlaudit.models.streams.contract import Inputs
from vlaudit.models.volta.config import VoltaConfig

Positions = Literal["rows", "batch"]
"""Position numbering of ctrl_vl-bert; see `VLBertEmbeddings`."""

Embedded = tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch regions width"]]


def regions_of(inputs: Inputs) -> tuple[Float[Tensor, "batch regions width"], Float[Tensor, "batch regions 4"]]:
    """Return features and boxes; raises `RequestError` without them."""
    if inputs.features is None or inputs.boxes is None:
        raise RequestError("features and boxes must be given: a VOLTA model cannot run without regions")
    return inputs.features, inputs.boxes


def with_area(boxes: Float[Tensor, "batch regions 4"]) -> Float[Tensor, "batch regions 5"]:
    """Append the fraction of the image's area that each box covers."""
    left, top, right, bottom = boxes.unbind(-1)
    return torch.cat([boxes, ((right - left) * (bottom - top))[..., None]], dim=-1)


def _norm(config: VoltaConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


class TextEmbeddings(nn.Module):
    """BERT's: words, positions and token types, added and normalised."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = _norm(config)

    def text(self, inputs: Inputs) -> Float[Tensor, "batch length width"]:
        """Return the caption's states before the first sublayer."""
        positions = torch.arange(inputs.ids.shape[1], device=inputs.ids.device)
        embedded: Tensor = self.LayerNorm(self._typed_words(inputs) + self._placed(positions))
        return embedded

    def _typed_words(self, inputs: Inputs) -> Float[Tensor, "batch length width"]:
        types = (
            self.token_type_embeddings.weight[0] if inputs.types is None else self.token_type_embeddings(inputs.types)
        )
        words: Tensor = self.word_embeddings(inputs.ids) + types
        return words

    def _placed(self, positions: Int[Tensor, "*axes"]) -> Float[Tensor, "*axes width"]:
        """Look up position vectors."""
        most = self.position_embeddings.num_embeddings
        if positions.numel() and (last := int(positions.max())) >= most:
            raise RequestError(
                f"input_ids must be shorter: the last position would be {last}, the model has {most} positions"
            )
        placed: Tensor = self.position_embeddings(positions)
        return placed


class ViLBertImageEmbeddings(nn.Module):
    """ctrl_vilbert's regions: feature and box, each mapped, added and normalised."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__()
        self.image_embeddings = nn.Linear(config.v_feature_size, config.hidden_size)
        self.image_location_embeddings = nn.Linear(config.num_locs, config.hidden_size)
        self.LayerNorm = _norm(config)

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch regions width"]:
        """Return the regions' states before the first sublayer."""
        features, boxes = regions_of(inputs)
        mapped = self.image_embeddings(features) + self.image_location_embeddings(with_area(boxes))
        embedded: Tensor = self.LayerNorm(mapped)
        return embedded


class LxmertImageEmbeddings(nn.Module):
    """ctrl_lxmert's regions: feature and box, each mapped and normalised; their mean."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__()
        self.image_embeddings = nn.Linear(config.v_feature_size, config.hidden_size)
        self.image_location_embeddings = nn.Linear(config.num_locs, config.hidden_size)
        self.ImgLayerNorm = _norm(config)
        self.LocLayerNorm = _norm(config)

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch regions width"]:
        """Return the regions' states before the first sublayer."""
        features, boxes = regions_of(inputs)
        seen = self.ImgLayerNorm(self.image_embeddings(features))
        placed = self.LocLayerNorm(self.image_location_embeddings(with_area(boxes)))
        embedded: Tensor = (seen + placed) / 2
        return embedded


class UniterEmbeddings(TextEmbeddings):
    """ctrl_uniter: a region is of token type 1; its feature and its box are normalised before and after the sum."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__(config)
        self.image_embeddings = nn.Linear(config.v_feature_size, config.hidden_size)
        self.image_location_embeddings = nn.Linear(config.num_locs, config.hidden_size)
        self.image_layer_norm = _norm(config)
        self.image_location_layer_norm = _norm(config)
        self.v_LayerNorm = _norm(config)

    def forward(self, inputs: Inputs) -> Embedded:
        """Return the states of caption and regions before the first sublayer."""
        features, boxes = regions_of(inputs)
        seen = self.image_layer_norm(self.image_embeddings(features))
        placed = self.image_location_layer_norm(self.image_location_embeddings(with_area(boxes)))
        return self.text(inputs), self.v_LayerNorm(seen + placed + self.token_type_embeddings.weight[1])


class VisualBertEmbeddings(TextEmbeddings):
    """ctrl_visualbert: boxes are not read; every region has position 0 and type 1 of tables of its own."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__(config)
        self.projection = nn.Linear(config.v_feature_size, config.hidden_size)
        self.token_type_embeddings_visual = nn.Embedding(2, config.hidden_size)
        self.position_embeddings_visual = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, inputs: Inputs) -> Embedded:
        """Return the states of caption and regions before the first sublayer."""
        features, _ = regions_of(inputs)
        alike = self.position_embeddings_visual.weight[0] + self.token_type_embeddings_visual.weight[1]
        return self.text(inputs), self.LayerNorm(self.projection(features) + alike)


class VLBertEmbeddings(TextEmbeddings):
    """ctrl_vl-bert: positions of regions follow those of the caption; words see the last region.

    A region whose feature is zero gets `object_mask_visual_embedding` instead. The last region gets `end_embedding` in
    place of `object_linguistic_embeddings`, and the feature of the last region is added to every word: remains of a
    layout in which the last region was the whole image.

    In the official code a row depends on the rest of the batch. Positions are written through a tensor that all rows
    share, so that words at or after the length of the SHORTEST caption are moved by the number of regions; and the last
    region is the last padded one. With `positions` "rows", the default, every row is embedded as the official code
    embeds it alone and without padding: an answer that depends on the batch cannot be audited. With "batch" the result
    is the official one, which the published weights were probably trained with.
    """

    def __init__(self, config: VoltaConfig, positions: Positions = "rows") -> None:
        super().__init__(config)
        width, feature = config.hidden_size, config.v_feature_size
        self.positions = positions
        # The published names count the dropout in first place.
        self.obj_downsample = nn.Sequential(nn.Identity(), nn.Linear(2 * feature, width), nn.ReLU())
        self.object_linguistic_embeddings = nn.Embedding(1, width)
        self.object_mask_visual_embedding = nn.Embedding(1, feature)
        self.end_embedding = nn.Embedding(1, width)
        self.visual_ln_text = _norm(config)
        self.visual_ln_object = _norm(config)

    def forward(self, inputs: Inputs) -> Embedded:
        """Return the states of caption and regions before the first sublayer."""
        seen, end, last = self._seen(inputs), self._text_end(inputs), self._last_region(inputs)
        rows = torch.arange(len(seen), device=seen.device)
        text = self._typed_words(inputs) + self.visual_ln_text(seen[rows, last])[:, None]
        is_last = torch.arange(seen.shape[1], device=seen.device) == last[:, None]
        named = torch.where(
            is_last[..., None], self.end_embedding.weight[0], self.object_linguistic_embeddings.weight[0]
        )
        image = self.visual_ln_object(seen) + named + self.token_type_embeddings.weight[2]
        return (
            self.LayerNorm(text + self._placed(self._text_positions(inputs, end, last + 1))),
            self.LayerNorm(image + self._placed(end[:, None] + is_last)),
        )

    def _seen(self, inputs: Inputs) -> Float[Tensor, "batch regions width"]:
        features, boxes = regions_of(inputs)
        absent = (features == 0).all(dim=-1, keepdim=True)
        features = torch.where(absent, self.object_mask_visual_embedding.weight[0], features)
        seen: Tensor = self.obj_downsample(torch.cat([box_waves(boxes, features.shape[-1] // 8), features], dim=-1))
        return seen

    def _text_end(self, inputs: Inputs) -> Int[Tensor, " batch"]:
        """Count the words of each row; the official code takes id 0 for padding and ignores the mask."""
        words = inputs.ids != 0
        return (words if self.positions == "batch" else words & (inputs.mask != 0)).sum(dim=1)

    def _last_region(self, inputs: Inputs) -> Int[Tensor, " batch"]:
        features, _ = regions_of(inputs)
        rows, regions = features.shape[:2]
        if self.positions == "batch" or inputs.present is None:
            return torch.full((rows,), regions - 1, device=features.device)
        return (inputs.present * torch.arange(regions, device=features.device)).argmax(dim=1)

    def _text_positions(
        self, inputs: Inputs, end: Int[Tensor, " batch"], regions: Int[Tensor, " batch"]
    ) -> Int[Tensor, "batch length"]:
        counted = torch.arange(inputs.ids.shape[1], device=inputs.ids.device).expand_as(inputs.ids)
        if self.positions == "batch":
            return counted + (counted >= end.min()) * regions[:, None]
        # Padding is not moved: it is never read, and its position may exceed the table.
        return counted + ((counted >= end[:, None]) & (inputs.mask != 0)) * regions[:, None]


def box_waves(boxes: Float[Tensor, "batch regions 4"], waves: int) -> Float[Tensor, "batch regions {8*waves}"]:
    """Encode centre, width and height of each box, in percent, as sines and cosines of decreasing frequency.

    Computed in float32 at least: angles reach 100, where half precision has steps of 1/16 and bfloat16 of 1/2.
    """
    left, top, right, bottom = boxes.to(torch.promote_types(boxes.dtype, torch.float32)).unbind(-1)
    percent = torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], dim=-1) * 100
    lengths = 1000 ** (torch.arange(waves, dtype=percent.dtype, device=boxes.device) / waves)
    angles = percent[..., None] / lengths
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2).to(boxes.dtype)
