"""Sizes of an LXMERT network, given or read from a checkpoint's tensors and its config file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlaudit.errors import CheckpointError
from vlaudit.models.sizes import HasShape, agreed_sizes, count_modules, shape_of

_FIELDS = {
    "vocab_size": "vocab_size",
    "width": "hidden_size",
    "language_layers": "l_layers",
    "relation_layers": "r_layers",
    "cross_layers": "x_layers",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "region_width": "visual_feat_dim",
    "classes": "obj_id_num",
    "attributes": "attr_id_num",
    "answers": "num_qa_labels",
    "longest": "max_seq_length",
    "max_positions": "max_position_embeddings",
    "type_vocab": "type_vocab_size",
    "layer_norm_eps": "layer_norm_eps",
}
_PUBLISHED_LENGTH = 20


@dataclass(frozen=True)
class LxmertConfig:
    """Sizes of the network. `classes` counts the detector's classes without background.

    `longest` is the longest caption of its training in tokens, [CLS] and [SEP] included.
    A network with `classes`, `attributes` or `answers` None, or `regresses` (features) False, lacks that head.
    """

    vocab_size: int
    width: int
    language_layers: int
    relation_layers: int
    cross_layers: int
    heads: int
    intermediate: int
    region_width: int = 2048
    classes: int | None = 1600
    attributes: int | None = 400
    answers: int | None = 9500
    regresses: bool = True
    longest: int = _PUBLISHED_LENGTH
    max_positions: int = 512
    type_vocab: int = 2
    layer_norm_eps: float = 1e-12

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise CheckpointError(f"width must be a multiple of heads, got {self.width} and {self.heads}")

    @property
    def max_length(self) -> int:
        """Longest caption in tokens, [CLS] and [SEP] included; the published pretraining truncated at 20."""
        return min(self.longest, self.max_positions)

    @property
    def first_cross_layer(self) -> int:
        """Number of the first cross layer, which is the length of the longer of the two stacks."""
        return max(self.language_layers, self.relation_layers)

    @property
    def region_targets(self) -> dict[str, int]:
        """Return the published name of every prediction for a region, with its width."""
        width = self.region_width if self.regresses else None
        targets = {"obj": self.classes, "attr": self.attributes, "feat": width}
        return {name: size for name, size in targets.items() if size is not None}

    @classmethod
    def published(cls) -> LxmertConfig:
        """Return the sizes of the published model."""
        return cls(30522, 768, language_layers=9, relation_layers=5, cross_layers=5, heads=12, intermediate=3072)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, HasShape], config: Mapping[str, Any]) -> LxmertConfig:
        """Read the sizes from the tensors of a file in the published layout, without `module.`; shapes suffice.

        `config` is a decoded config file, complete or not, and states the number of heads (default width / 64) and
        `max_seq_length` (default 20).
        Raises `CheckpointError` where the two contradict, or for a file in another layout.
        """
        values = agreed_sizes(_sizes(tensors), config) | {"max_seq_length": _length(config)}
        held: dict[str, Any] = {
            name: values.get(path) for name, path in _FIELDS.items() if path in values or name in _OPTIONAL
        }
        return cls(**held, regresses=_decoder("feat") in tensors)

    def to_json(self) -> dict[str, Any]:
        """Return the content of config.json."""
        named = {path: getattr(self, name) for name, path in _FIELDS.items()}
        return {"hidden_act": "gelu"} | {path: value for path, value in named.items() if value is not None}


_OPTIONAL = ("classes", "attributes", "answers")


def _length(config: Mapping[str, Any]) -> int:
    stated = config.get("max_seq_length", _PUBLISHED_LENGTH)
    if type(stated) is not int or stated < 3:
        raise CheckpointError(f"max_seq_length must be a whole number of at least 3, got {stated!r}")
    return stated


def _decoder(target: str) -> str:
    return f"obj_predict_head.decoder_dict.{target}.weight"


def _sizes(tensors: Mapping[str, HasShape]) -> dict[str, int]:
    def rows(name: str) -> tuple[int, ...]:
        return shape_of(tensors, name, 2, family="LXMERT")

    vocabulary, width = rows("bert.embeddings.word_embeddings.weight")
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "l_layers": count_modules(tensors, "bert.encoder.layer."),
        "r_layers": count_modules(tensors, "bert.encoder.r_layers."),
        "x_layers": count_modules(tensors, "bert.encoder.x_layers."),
        "intermediate_size": rows("bert.encoder.x_layers.0.lang_inter.dense.weight")[0],
        "visual_feat_dim": rows("bert.encoder.visn_fc.visn_fc.weight")[1],
        "max_position_embeddings": rows("bert.embeddings.position_embeddings.weight")[0],
        "type_vocab_size": rows("bert.embeddings.token_type_embeddings.weight")[0],
    }
    answers = "answer_head.logit_fc.3.weight"
    optional = {"obj_id_num": _decoder("obj"), "attr_id_num": _decoder("attr"), "num_qa_labels": answers}
    return sizes | {path: rows(name)[0] for path, name in optional.items() if name in tensors}
