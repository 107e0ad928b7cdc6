"""The whole ALBEF network: image encoder, text encoder, fusion layers and the three heads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from vlaudit.errors import RequestError
from vlaudit.models.albef.captions import MOST_WORDS, clean
from vlaudit.models.albef.config import AlbefConfig
from vlaudit.models.albef.image_encoder import VisionTransformer
from vlaudit.models.albef.text_encoder import MaskedLanguageModel, TextEncoder
from vlaudit.models.attention import Encoded, Layers
from vlaudit.models.streams.captions import CaptionPolicy
from vlaudit.models.streams.contract import Layout, Pair, Stage, Streams, Wanted
from vlaudit.models.streams.pixels import PixelLayout
from vlaudit.traces import Modality

TRAINED_LENGTH = {"pretraining": 25, "retrieval": 30}
"""Longest caption in tokens, [CLS] included, that each layout was trained on."""

TEXT_TEXT: Pair = ("text", "text")
TEXT_IMAGE: Pair = ("text", "image")
IMAGE_IMAGE: Pair = ("image", "image")


class Towers:
    """Passes shared by the online network and its momentum copy.

    Image and text are encoded once and reused: `fuse` takes both results.
    """

    visual_encoder: VisionTransformer
    text_encoder: MaskedLanguageModel | TextEncoder
    vision_proj: nn.Linear
    text_proj: nn.Linear

    @property
    def _text(self) -> TextEncoder:
        encoder = self.text_encoder
        return encoder.bert if isinstance(encoder, MaskedLanguageModel) else encoder

    def encode_image(
        self,
        pixel_values: Float[Tensor, "batch channels height breadth"],
        *,
        weights: Layers = False,
        states: Layers = False,
    ) -> Encoded:
        """Return the image's states after the final norm, [CLS] first, then the patches row by row.

        `weights` and `states` select the layers whose attention and states are returned; the other layers run the fused
        kernel. States precede the final norm.
        Raises RequestError for images of another size.
        """
        encoded: Encoded = self.visual_encoder(pixel_values, weights=weights, states=states)
        return encoded

    def encode_text(
        self,
        input_ids: Int[Tensor, "batch length"],
        attention_mask: Int[Tensor, "batch length"] | Bool[Tensor, "batch length"],
        *,
        weights: Layers = False,
        states: Layers = False,
    ) -> Encoded:
        """Run the caption alone through the layers before fusion; the mask is 0 on padding.

        `states[0]` are the normalised embeddings. Raises RequestError for a caption of too many tokens.
        """
        return self._text.encode(input_ids, attention_mask, weights=weights, states=states)

    def fuse(
        self,
        text_embeds: Float[Tensor, "batch length width"],
        attention_mask: Int[Tensor, "batch length"] | Bool[Tensor, "batch length"],
        image_embeds: Float[Tensor, "#batch patches image_width"],
        *,
        weights: Layers = False,
        states: Layers = False,
    ) -> Encoded:
        """Run `encode_text(...).last` through the fusion layers, which read `encode_image(...).last`.

        Row i of the text reads row i of the images; a single image is read by every row.
        """
        return self._text.fuse(text_embeds, attention_mask, image_embeds, weights=weights, states=states)

    def word_logits(self, states: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes vocabulary"]:
        """Return masked-word logits of fused states; pass only masked positions.

        Raises RequestError for a retrieval checkpoint, which has no such head.
        """
        if not isinstance(self.text_encoder, MaskedLanguageModel):
            raise RequestError(
                "a retrieval checkpoint has no masked-word head; load a pretraining one to predict words"
            )
        logits: Tensor = self.text_encoder.cls.predictions(states)
        return logits

    def image_feature(self, states: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch projection"]:
        """Return the contrastive image features, of unit length, from [CLS] of the encoded image."""
        return F.normalize(self.vision_proj(states[:, 0]), dim=-1)

    def text_feature(self, states: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch projection"]:
        """Return the contrastive text features, of unit length, from [CLS] of the encoded caption."""
        return F.normalize(self.text_proj(states[:, 0]), dim=-1)


@dataclass(frozen=True)
class MomentumView(Towers):
    """The momentum copies as a network; they have no matching head of their own."""

    visual_encoder: VisionTransformer
    text_encoder: MaskedLanguageModel | TextEncoder
    vision_proj: nn.Linear
    text_proj: nn.Linear


class Albef(nn.Module, Towers):
    """ALBEF (Li et al. 2021), a `StagedNetwork` whose state dict has the published keys.

    `momentum` adds the momentum copies and `queues` the stored features that pretraining contrasts against; with both,
    the keys are exactly those of a published file. Audits run it without them.
    Call `initialise` before training. There is no dropout.
    """

    image_queue: Tensor
    text_queue: Tensor

    def __init__(self, config: AlbefConfig, *, momentum: bool = False, queues: bool = False) -> None:
        super().__init__()
        self.config = config
        self.temp = nn.Parameter(torch.tensor(0.07))
        self.visual_encoder = VisionTransformer(config.vision)
        self.text_encoder = _text_encoder(config)
        self.vision_proj = nn.Linear(config.vision.width, config.projection)
        self.text_proj = nn.Linear(config.text.width, config.projection)
        self.itm_head = nn.Linear(config.text.width, 2)
        self.has_momentum = momentum
        if momentum:
            self._add_momentum()
        if queues:
            self._add_queues()

    def _add_momentum(self) -> None:
        config = self.config
        self.visual_encoder_m = VisionTransformer(config.vision)
        self.vision_proj_m = nn.Linear(config.vision.width, config.projection)
        self.text_encoder_m = _text_encoder(config)
        self.text_proj_m = nn.Linear(config.text.width, config.projection)

    def _add_queues(self) -> None:
        shape = (self.config.projection, self.config.queue_size)
        self.register_buffer("image_queue", torch.zeros(shape))
        self.register_buffer("text_queue", torch.zeros(shape))
        if self.config.layout == "retrieval":
            self.register_buffer("idx_queue", torch.full((1, self.config.queue_size), -100))
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.long))

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs.

        Text stage 0 is the normalized embeddings; text layers before `fused_from` never see the image. Image stage 0
        is patches, [CLS] and positions; the last image stage precedes the final norm. Attention of text on text is the
        self-attention of every text layer, of text on image the cross-attention of the fusion layers, of image on image
        that of the image encoder. There is no attention of image on text.
        """
        vision, text = self.config.vision, self.config.text
        layers, blocks = tuple(range(text.layers)), tuple(range(vision.depth))
        return Layout(
            architecture="cross-attention",
            joint_softmax=False,
            attention={TEXT_TEXT: layers, TEXT_IMAGE: layers[text.fusion_layer :], IMAGE_IMAGE: blocks},
            states={"text": (*layers, text.layers), "image": (*blocks, vision.depth)},
            heads={TEXT_TEXT: text.heads, TEXT_IMAGE: text.heads, IMAGE_IMAGE: vision.heads},
            max_length=min(TRAINED_LENGTH[self.config.layout], text.max_positions),
            vocabulary_size=text.vocab_size,
            pixels=PixelLayout(vision.image_size, vision.patch_size),
            words=self.config.layout == "pretraining",
            features=frozenset({"text", "image"}),
            fused_from=text.fusion_layer,
            captions=CaptionPolicy(clean, ends_with_sep=False, most_words=MOST_WORDS),
        )

    def text_stage(self, ids: Int[Tensor, "batch length"], mask: Int[Tensor, "batch length"], wanted: Wanted) -> Stage:
        """Run the layers before fusion on the caption alone."""
        return _stage(self.encode_text(ids, mask, **_inside(wanted, "text")), "text")

    def image_stage(self, pixels: Float[Tensor, "batch channels height breadth"], wanted: Wanted) -> Stage:
        """Encode images."""
        return _stage(self.encode_image(pixels, **_inside(wanted, "image")), "image")

    def fusion_stage(
        self,
        text: Float[Tensor, "batch length width"],
        mask: Int[Tensor, "batch length"],
        image: Float[Tensor, "#batch patches image_width"],
        wanted: Wanted,
    ) -> Stage:
        """Run the fusion layers."""
        return _stage(self.fuse(text, mask, image, **_inside(wanted, "text")), "text")

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Return the logits of (no match, match) of a fusion stage."""
        return self.itm_logits(streams.text)

    def itm_logits(self, fused: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch 2"]:
        """Return the logits of (no match, match) from [CLS] of the fused caption."""
        logits: Tensor = self.itm_head(fused[:, 0])
        return logits

    def momentum_view(self) -> MomentumView:
        """Return the momentum copies as one network; raises RequestError where they were not loaded."""
        if not self.has_momentum:
            raise RequestError("this network has no momentum copies; load it with momentum=True")
        return MomentumView(self.visual_encoder_m, self.text_encoder_m, self.vision_proj_m, self.text_proj_m)

    def tie(self) -> None:
        """Tie the tensors of the word heads again, after loaded tensors were assigned."""
        for encoder in (self.text_encoder, getattr(self, "text_encoder_m", None)):
            if isinstance(encoder, MaskedLanguageModel):
                encoder.tie()

    @torch.no_grad()
    def initialise(self, std: float = 0.02) -> None:
        """Initialize the weights for training with torch's generator; momentum copies become equal.

        Tables and matrices of both encoders: truncated normal of `std`; their biases 0. The patch, feature and matching
        projections keep torch's default, as in the published code; norms are 1 and 0. Differs: the published text
        encoder's normal is not truncated.
        """
        for module in (*self.visual_encoder.modules(), *self.text_encoder.modules()):
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.visual_encoder.pos_embed, std=std)
        nn.init.trunc_normal_(self.visual_encoder.cls_token, std=std)
        if self.has_momentum:
            for name in ("visual_encoder", "vision_proj", "text_encoder", "text_proj"):
                getattr(self, f"{name}_m").load_state_dict(getattr(self, name).state_dict())


def _inside(wanted: Wanted, modality: Modality) -> dict[str, frozenset[int]]:
    """Return the layers whose attention, and the stages whose states, are wanted of one modality's queries."""
    layers = frozenset(layer for queries, _, layer in wanted.attention if queries == modality)
    return {"weights": layers, "states": frozenset(stage for of, stage in wanted.states if of == modality)}


def _stage(encoded: Encoded, modality: Modality) -> Stage:
    attention = {(modality, modality, layer): maps for layer, maps in encoded.self_attention.items()}
    attention |= {(modality, "image", layer): maps for layer, maps in encoded.cross_attention.items()}
    return Stage(encoded.last, {(modality, stage): state for stage, state in encoded.states.items()}, attention)


def _text_encoder(config: AlbefConfig) -> MaskedLanguageModel | TextEncoder:
    kind = MaskedLanguageModel if config.layout == "pretraining" else TextEncoder
    return kind(config.text)
