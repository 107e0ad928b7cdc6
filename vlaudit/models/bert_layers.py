"""Layers of BERT (Devlin et al. 2019) under their published names, shared by all networks built from them.

There is no dropout: these networks run inference, and the small ones trained here do not need it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from vlaudit.errors import RequestError
from vlaudit.models.attention import attend, merge_heads, split_heads


@runtime_checkable
class BertSizes(Protocol):
    """Sizes of a layer; `intermediate` is the width inside its feed-forward part."""

    @property
    def width(self) -> int:
        """Components of a state."""
        ...

    @property
    def heads(self) -> int:
        """Heads of an attention."""
        ...

    @property
    def intermediate(self) -> int:
        """Components between the two linear maps of a feed-forward part."""
        ...

    @property
    def layer_norm_eps(self) -> float:
        """Epsilon of the layer norms; it affects the results."""
        ...


@runtime_checkable
class TextSizes(BertSizes, Protocol):
    """Sizes of a layer and of the tables of words, positions and token types."""

    @property
    def vocab_size(self) -> int:
        """Rows of the word table."""
        ...

    @property
    def max_positions(self) -> int:
        """Rows of the position table."""
        ...

    @property
    def type_vocab(self) -> int:
        """Rows of the token-type table."""
        ...


class Embeddings(nn.Module):
    """The sum of word, position and token-type vectors, normalised.

    Row 0 of every table is an ordinary vector. (LXMERT declares it as padding, which only excludes it from training.)
    """

    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(sizes.vocab_size, sizes.width)
        self.position_embeddings = nn.Embedding(sizes.max_positions, sizes.width)
        self.token_type_embeddings = nn.Embedding(sizes.type_vocab, sizes.width)
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=sizes.layer_norm_eps)

    def forward(
        self, ids: Int[Tensor, "batch length"], types: Int[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length width"]:
        """Return the input of layer 0; token types are all 0 where None."""
        length, most = ids.shape[1], self.position_embeddings.num_embeddings
        if length > most:
            raise RequestError(f"ids must have at most {most} tokens per caption, got {length}")
        kinds = self.token_type_embeddings.weight[0] if types is None else self.token_type_embeddings(types)
        summed: Tensor = self.LayerNorm(self.word_embeddings(ids) + self.position_embeddings.weight[:length] + kinds)
        return summed


class Projections(nn.Module):
    """Query, key and value of one attention; keys and values may come from states of another width."""

    def __init__(self, sizes: BertSizes, source_width: int) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.query = nn.Linear(sizes.width, sizes.width)
        self.key = nn.Linear(source_width, sizes.width)
        self.value = nn.Linear(source_width, sizes.width)

    def forward(
        self,
        hidden: Float[Tensor, "batch length width"],
        source: Float[Tensor, "#batch keys source_width"],
        mask: Float[Tensor, "batch 1 1 keys"] | None = None,
        *,
        weights: bool = False,
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch heads length keys"] | None]:
        """Return the context vectors and, on request, the probabilities."""
        query = split_heads(self.query(hidden), self.heads)
        # Expanded after the projection, so that one image shared by many captions is projected once.
        key, value = (
            split_heads(project(source), self.heads).expand(len(query), -1, -1, -1)
            for project in (self.key, self.value)
        )
        context, probabilities = attend(query, key, value, mask, weights=weights)
        return merge_heads(context), probabilities


class Residual(nn.Module):
    """A linear map, a residual connection and a norm."""

    def __init__(self, sizes: BertSizes, source_width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(source_width, sizes.width)
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=sizes.layer_norm_eps)

    def forward(
        self,
        update: Float[Tensor, "batch length source_width"],
        hidden: Float[Tensor, "batch length width"],
    ) -> Float[Tensor, "batch length width"]:
        """Return the next states."""
        following: Tensor = self.LayerNorm(self.dense(update) + hidden)
        return following


class Attention(nn.Module):
    """Attention of the text to itself, or (with `source_width`) to the image, with its residual and norm."""

    def __init__(self, sizes: BertSizes, source_width: int) -> None:
        super().__init__()
        self.self = Projections(sizes, source_width)
        self.output = Residual(sizes, sizes.width)

    def forward(
        self,
        hidden: Float[Tensor, "batch length width"],
        source: Float[Tensor, "#batch keys source_width"],
        mask: Float[Tensor, "batch 1 1 keys"] | None = None,
        *,
        weights: bool = False,
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch heads length keys"] | None]:
        """Return the next states and, on request, the probabilities."""
        context, probabilities = self.self(hidden, source, mask, weights=weights)
        return self.output(context, hidden), probabilities


class Intermediate(nn.Module):
    """The widening half of the feed-forward part, with the exact (erf) GELU."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        self.dense = nn.Linear(sizes.width, sizes.intermediate)

    def forward(self, hidden: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length wide"]:
        """Return the widened states."""
        return F.gelu(self.dense(hidden))


class Layer(nn.Module):
    """Self-attention and feed-forward; a residual and a norm after each."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        self.attention = Attention(sizes, sizes.width)
        self.intermediate = Intermediate(sizes)
        self.output = Residual(sizes, sizes.intermediate)

    def forward(
        self,
        hidden: Float[Tensor, "batch length width"],
        mask: Float[Tensor, "batch 1 1 length"] | None = None,
        *,
        weights: bool = False,
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch heads length length"] | None]:
        """Return the next states and, on request, the probabilities."""
        hidden, probabilities = self.attention(hidden, hidden, mask, weights=weights)
        return self.output(self.intermediate(hidden), hidden), probabilities


class Pooler(nn.Module):
    """A linear map and tanh on the first state."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        self.dense = nn.Linear(sizes.width, sizes.width)

    def forward(self, hidden: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch width"]:
        """Return one vector per row of the batch."""
        return torch.tanh(self.dense(hidden[:, 0]))


class HeadTransform(nn.Module):
    """The part of the word head before the vocabulary: a linear map, the exact GELU, a norm."""

    def __init__(self, sizes: BertSizes) -> None:
        super().__init__()
        self.dense = nn.Linear(sizes.width, sizes.width)
        self.LayerNorm = nn.LayerNorm(sizes.width, eps=sizes.layer_norm_eps)

    def forward(self, hidden: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes width"]:
        """Return the transformed states."""
        transformed: Tensor = self.LayerNorm(F.gelu(self.dense(hidden)))
        return transformed


class WordPredictions(nn.Module):
    """The masked-word head; its matrix is tied to the word table by the network, its bias is its own."""

    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(sizes.vocab_size))
        self.transform = HeadTransform(sizes)
        self.decoder = nn.Linear(sizes.width, sizes.vocab_size, bias=False)

    def forward(self, hidden: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes vocabulary"]:
        """Return logits over the vocabulary."""
        logits: Tensor = self.decoder(self.transform(hidden)) + self.bias
        return logits


@torch.no_grad()
def draw_weights(network: nn.Module, std: float = 0.02) -> None:
    """Initialize the weights for training with torch's generator, as BERT does.

    Matrices and tables: normal of `std`, not truncated; biases 0; norms 1 and 0.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
