"""Sizes of a UNITER network, given or read from a checkpoint's tensors and its config file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlaudit.errors import CheckpointError
from vlaudit.models.sizes import HasShape, agreed_sizes, count_modules, shape_of

_FIELDS = {
    "vocab_size": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "region_width": "img_dim",
    "classes": "img_label_dim",
    "max_positions": "max_position_embeddings",
    "type_vocab": "type_vocab_size",
    "layer_norm_eps": "layer_norm_eps",
}
_PUBLISHED_LENGTH = 62  # max_txt_len 60 counts pieces without [CLS] and [SEP]


@dataclass(frozen=True)
class UniterConfig:
    """Sizes of the network. `classes` counts the detector's classes with background, which is class 0."""

    vocab_size: int
    width: int
    layers: int
    heads: int
    intermediate: int
    region_width: int = 2048
    classes: int = 1601
    max_positions: int = 512
    type_vocab: int = 2
    layer_norm_eps: float = 1e-12

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise CheckpointError(f"width must be a multiple of heads, got {self.width} and {self.heads}")
        if self.type_vocab < 2:
            raise CheckpointError(f"type_vocab must be at least 2, regions are of type 1, got {self.type_vocab}")

    @property
    def max_length(self) -> int:
        """Longest caption in tokens, [CLS] and [SEP] included.

        Pretraining kept captions of at most 60 pieces; later positions of the table were never trained.
        """
        return min(_PUBLISHED_LENGTH, self.max_positions)

    @classmethod
    def published(cls) -> UniterConfig:
        """Return the sizes of UNITER-base."""
        return cls(28996, 768, layers=12, heads=12, intermediate=3072)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, HasShape], config: Mapping[str, Any]) -> UniterConfig:
        """Read the sizes from the tensors of a file in the published layout; shapes suffice.

        `config` is a decoded config file, complete or not, and states the number of heads (default width / 64).
        Raises `CheckpointError` where the two contradict, or for a file in another layout.
        """
        values = agreed_sizes(_sizes(tensors), config)
        return cls(**{name: values[path] for name, path in _FIELDS.items() if path in values})

    def to_json(self) -> dict[str, Any]:
        """Return the content of config.json."""
        return {"hidden_act": "gelu"} | {path: getattr(self, name) for name, path in _FIELDS.items()}


def _sizes(tensors: Mapping[str, HasShape]) -> dict[str, int]:
    def rows(name: str) -> tuple[int, ...]:
        return shape_of(tensors, name, 2, family="UNITER")

    vocabulary, width = rows("uniter.embeddings.word_embeddings.weight")
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": count_modules(tensors, "uniter.encoder.layer."),
        "intermediate_size": rows("uniter.encoder.layer.0.intermediate.dense.weight")[0],
        "img_dim": rows("uniter.img_embeddings.img_linear.weight")[1],
        "img_label_dim": rows("region_classifier.net.3.weight")[0],
        "max_position_embeddings": rows("uniter.embeddings.position_embeddings.weight")[0],
        "type_vocab_size": rows("uniter.embeddings.token_type_embeddings.weight")[0],
    }
