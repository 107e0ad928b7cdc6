"""ALBEF's text encoder, a BERT (Devlin et al. 2019) whose last layers attend to the image, and its word head."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vlaudit.errors import RequestError
from vlaudit.models.albef.config import TextConfig
from vlaudit.models.attention import Encoded, Layers, additive_mask, wanted
from vlaudit.models.bert_layers import Attention, HeadTransform, Intermediate, Residual


class Embeddings(nn.Module):
    """The sum of word, position and segment vectors, normalised; every token is of segment 0."""

    position_ids: Tensor

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        # Never read: positions are 0, 1, 2, ... The published files hold it.
        self.register_buffer("position_ids", torch.arange(config.max_positions)[None])
        self.word_embeddings = nn.Embedding(config.vocab_size, config.width, padding_idx=config.pad_id)
        self.position_embeddings = nn.Embedding(config.max_positions, config.width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)

    def forward(self, input_ids: Int[Tensor, "batch length"]) -> Float[Tensor, "batch length width"]:
        """Return the input of layer 0."""
        length, most = input_ids.shape[1], self.position_embeddings.num_embeddings
        if length > most:
            raise RequestError(f"input_ids must have at most {most} tokens per caption, got {length}")
        words = self.word_embeddings(input_ids) + self.token_type_embeddings.weight[0]
        summed: Tensor = self.LayerNorm(words + self.position_embeddings.weight[:length])
        return summed


class Layer(nn.Module):
    """Self-attention, in a fusion layer cross-attention, feed-forward; a residual and a norm after each."""

    def __init__(self, config: TextConfig, number: int) -> None:
        super().__init__()
        self.attention = Attention(config, config.width)
        self.crossattention = Attention(config, config.encoder_width) if number >= config.fusion_layer else None
        self.intermediate = Intermediate(config)
        self.output = Residual(config, config.intermediate)

    def forward(
        self,
        hidden: Float[Tensor, "batch length width"],
        mask: Float[Tensor, "batch 1 1 length"],
        image: Float[Tensor, "#batch patches image_width"] | None = None,
        *,
        weights: bool = False,
    ) -> tuple[
        Float[Tensor, "batch length width"],
        Float[Tensor, "batch heads length length"] | None,
        Float[Tensor, "batch heads length patches"] | None,
    ]:
        """Return the next states and, on request, attention among words and from words to patches."""
        hidden, among_words = self.attention(hidden, hidden, mask, weights=weights)
        to_patches = None
        if self.crossattention is not None:
            hidden, to_patches = self.crossattention(hidden, image, weights=weights)
        return self.output(self.intermediate(hidden), hidden), among_words, to_patches


class Encoder(nn.Module):
    """The stack of layers."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config, number) for number in range(config.layers))

    def forward(
        self,
        hidden: Float[Tensor, "batch length width"],
        attention_mask: Int[Tensor, "batch length"] | Bool[Tensor, "batch length"],
        numbers: range,
        image: Float[Tensor, "#batch patches image_width"] | None = None,
        *,
        weights: Layers = False,
        states: Layers = False,
    ) -> Encoded:
        """Run the layers `numbers`."""
        mask = additive_mask(attention_mask, hidden.dtype)
        kept, among, across = {}, {}, {}
        for number in numbers:
            if wanted(states, number):
                kept[number] = hidden
            hidden, among_words, to_patches = self.layer[number](hidden, mask, image, weights=wanted(weights, number))
            if among_words is not None:
                among[number] = among_words
            if to_patches is not None:
                across[number] = to_patches
        if wanted(states, numbers.stop):
            kept[numbers.stop] = hidden
        return Encoded(hidden, kept, among, across)


class TextEncoder(nn.Module):
    """Embeddings and layers, run in two parts: the caption alone, then the caption with an image."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)

    def encode(
        self,
        input_ids: Int[Tensor, "batch length"],
        attention_mask: Int[Tensor, "batch length"] | Bool[Tensor, "batch length"],
        *,
        weights: Layers = False,
        states: Layers = False,
    ) -> Encoded:
        """Run the layers before the first fusion layer."""
        numbers = range(self.config.fusion_layer)
        encoded: Encoded = self.encoder(
            self.embeddings(input_ids), attention_mask, numbers, weights=weights, states=states
        )
        return encoded

    def fuse(
        self,
        text_embeds: Float[Tensor, "batch length width"],
        attention_mask: Int[Tensor, "batch length"] | Bool[Tensor, "batch length"],
        image_embeds: Float[Tensor, "#batch patches image_width"],
        *,
        weights: Layers = False,
        states: Layers = False,
    ) -> Encoded:
        """Run the fusion layers on the output of `encode`."""
        numbers = range(self.config.fusion_layer, self.config.layers)
        fused: Encoded = self.encoder(
            text_embeds, attention_mask, numbers, image_embeds, weights=weights, states=states
        )
        return fused


class WordPredictions(nn.Module):
    """The masked-word head; its bias is stored under two names."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.transform = HeadTransform(config)
        self.decoder = nn.Linear(config.width, config.vocab_size)

    def forward(self, hidden: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes vocabulary"]:
        """Return logits over the vocabulary."""
        logits: Tensor = self.decoder(self.transform(hidden))
        return logits


class Heads(nn.Module):
    """The module that the published keys have between the text encoder and its word head."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.predictions = WordPredictions(config)


class MaskedLanguageModel(nn.Module):
    """The text encoder with its masked-word head, whose matrix is tied to the word table."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.bert = TextEncoder(config)
        self.cls = Heads(config)
        self.tie()

    def tie(self) -> None:
        """Tie shared tensors again, after loaded tensors were assigned."""
        predictions = self.cls.predictions
        predictions.decoder.weight = self.bert.embeddings.word_embeddings.weight
        predictions.decoder.bias = predictions.bias
