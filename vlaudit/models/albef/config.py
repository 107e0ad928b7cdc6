"""Sizes of an ALBEF network, given, from a config file, or read from a checkpoint's shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from vlaudit.errors import CheckpointError

Layout = Literal["pretraining", "retrieval"]
HEAD_WIDTH = 64
"""Components of one attention head in every published model; it cannot be read from shapes."""

_VISION_FIELDS = {
    "image_size": "vision.image_res",
    "patch_size": "vision.patch_size",
    "width": "vision.vision_width",
    "depth": "vision.depth",
    "heads": "vision.num_heads",
    "mlp_ratio": "vision.mlp_ratio",
    "layer_norm_eps": "vision.layer_norm_eps",
    "in_channels": "vision.in_chans",
    "qkv_bias": "vision.qkv_bias",
}
_TEXT_FIELDS = {
    "vocab_size": "bert.vocab_size",
    "width": "bert.hidden_size",
    "layers": "bert.num_hidden_layers",
    "heads": "bert.num_attention_heads",
    "intermediate": "bert.intermediate_size",
    "fusion_layer": "bert.fusion_layer",
    "encoder_width": "bert.encoder_width",
    "max_positions": "bert.max_position_embeddings",
    "type_vocab": "bert.type_vocab_size",
    "layer_norm_eps": "bert.layer_norm_eps",
    "pad_id": "bert.pad_token_id",
}
_OWN_FIELDS = {"projection": "embed_dim", "queue_size": "queue_size", "layout": "layout"}
_REQUIRED = {
    *(_VISION_FIELDS[name] for name in ("image_size", "patch_size", "width", "depth", "heads")),
    *(_TEXT_FIELDS[name] for name in ("vocab_size", "width", "layers", "heads", "intermediate")),
    *("bert.fusion_layer", "bert.encoder_width", "embed_dim"),
}


@runtime_checkable
class HasShape(Protocol):
    """Anything with a shape: a tensor, or a file's entry for one that was not read yet."""

    @property
    def shape(self) -> Sequence[int]:
        """Length of every axis."""
        ...


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the image encoder; `image_size` and `patch_size` are in pixels."""

    image_size: int
    patch_size: int
    width: int
    depth: int
    heads: int
    mlp_ratio: float = 4.0
    layer_norm_eps: float = 1e-6
    in_channels: int = 3
    qkv_bias: bool = True

    def __post_init__(self) -> None:
        _divides("vision.num_heads", self.heads, "vision.vision_width", self.width)
        _divides("vision.patch_size", self.patch_size, "vision.image_res", self.image_size)

    @property
    def grid(self) -> int:
        """Patches along one side of the image."""
        return self.image_size // self.patch_size

    @property
    def intermediate(self) -> int:
        """Width inside the MLP of a block."""
        return _mlp_width(self.width, self.mlp_ratio)


@dataclass(frozen=True)
class TextConfig:
    """Sizes of the text encoder; layers from `fusion_layer` on also attend to an image of `encoder_width`."""

    vocab_size: int
    width: int
    layers: int
    heads: int
    intermediate: int
    fusion_layer: int
    encoder_width: int
    max_positions: int = 512
    type_vocab: int = 2
    layer_norm_eps: float = 1e-12
    pad_id: int = 0

    def __post_init__(self) -> None:
        _divides("bert.num_attention_heads", self.heads, "bert.hidden_size", self.width)
        if not 0 <= self.fusion_layer <= self.layers:
            raise CheckpointError(
                f"bert.fusion_layer must lie between 0 and bert.num_hidden_layers = {self.layers}, "
                f"got {self.fusion_layer}"
            )


@dataclass(frozen=True)
class AlbefConfig:
    """Sizes of the whole network, and the published layout that its keys follow.

    `pretraining` has a masked-word head; `retrieval` has none, and its text tensors have no prefix `bert.`.
    """

    vision: VisionConfig
    text: TextConfig
    projection: int
    queue_size: int = 65536
    layout: Layout = "pretraining"

    def __post_init__(self) -> None:
        if self.text.encoder_width != self.vision.width:
            raise CheckpointError(
                "bert.encoder_width must equal vision.vision_width (fusion layers read the image encoder's "
                f"output), got {self.text.encoder_width} and {self.vision.width}"
            )

    @classmethod
    def published(cls, layout: Layout = "pretraining") -> AlbefConfig:
        """Return the sizes of the published models: 256 px when pretraining, 384 px for retrieval."""
        vision = VisionConfig(256 if layout == "pretraining" else 384, 16, width=768, depth=12, heads=12)
        text = TextConfig(30522, 768, layers=12, heads=12, intermediate=3072, fusion_layer=6, encoder_width=768)
        return cls(vision, text, projection=256, layout=layout)

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> AlbefConfig:
        """Read a decoded config file: `bert`, `vision`, `embed_dim`, `queue_size` and `layout`.

        Raises CheckpointError where a size is missing, of another type, or at odds with another.
        """
        values = _flat(config)
        if missing := sorted(_REQUIRED - values.keys()):
            raise CheckpointError(f"the ALBEF config must state {', '.join(missing)}; add what is missing")
        return cls._from_flat(values)

    def to_json(self) -> dict[str, Any]:
        """Return the input of `from_json`."""
        return {
            "bert": {"hidden_act": "gelu"} | _named(self.text, _TEXT_FIELDS),
            "vision": _named(self.vision, _VISION_FIELDS),
        } | _named(self, _OWN_FIELDS)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, HasShape], overrides: Mapping[str, Any] | None = None) -> AlbefConfig:
        """Read the sizes from the tensors of a checkpoint in a published layout; shapes suffice.

        `overrides` is a decoded config file, complete or not, for what shapes cannot show: the number of heads (default
        width / 64, as in every published model) and the epsilons (default the published ones).
        Raises CheckpointError where the two contradict, and where nothing states the number of heads.
        """
        stated, seen = _flat(overrides or {}), _sizes(tensors)
        for name in sorted(stated.keys() & seen.keys()):
            if not _agree(name, stated[name], seen):
                raise CheckpointError(
                    f"the config says {name} = {stated[name]!r}, but the checkpoint's tensors have "
                    f"{seen[name]!r}; give the config that belongs to this checkpoint"
                )
        values = seen | stated
        for heads, width in (
            ("vision.num_heads", "vision.vision_width"),
            ("bert.num_attention_heads", "bert.hidden_size"),
        ):
            if heads not in values:
                values[heads] = _heads(heads, width, values[width])
        return cls._from_flat(values)

    @classmethod
    def _from_flat(cls, values: Mapping[str, Any]) -> AlbefConfig:
        return cls(
            VisionConfig(**_renamed(values, _VISION_FIELDS)),
            TextConfig(**_renamed(values, _TEXT_FIELDS)),
            **_renamed(values, _OWN_FIELDS),
        )


def _mlp_width(width: int, ratio: float) -> int:
    # A ratio that was itself computed from a width may fall short of it by a rounding error.
    return int(width * ratio + 1e-6)


def _divides(part: str, number: int, whole: str, total: int) -> None:
    if number < 1 or total % number:
        raise CheckpointError(f"{whole} must be a multiple of {part}, got {total} and {number}")


def _heads(name: str, width_name: str, width: int) -> int:
    if width % HEAD_WIDTH:
        raise CheckpointError(
            f"the number of heads cannot be read off the tensors: {width_name} = {width} is no multiple of "
            f"{HEAD_WIDTH}, the width of a head in the published models; give a config that says {name}"
        )
    return width // HEAD_WIDTH


def _named(sizes: object, fields: Mapping[str, str]) -> dict[str, Any]:
    return {path.rpartition(".")[2]: getattr(sizes, name) for name, path in fields.items()}


def _renamed(values: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    return {name: values[path] for name, path in fields.items() if path in values}


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that we read, by dotted name, with their types checked."""
    paths = [*_VISION_FIELDS.values(), *_TEXT_FIELDS.values(), *_OWN_FIELDS.values(), "bert.hidden_act"]
    found = {}
    for path in paths:
        section, _, name = path.rpartition(".")
        group = config.get(section, {}) if section else config
        if not isinstance(group, Mapping):
            raise CheckpointError(f"the ALBEF config's {section!r} must be a table of sizes, got {group!r}")
        if name in group:
            found[path] = _checked(path, group[name])
    activation = found.pop("bert.hidden_act", "gelu")
    if activation != "gelu":
        raise CheckpointError(
            f"bert.hidden_act must be 'gelu' (the exact one, the only one that ALBEF has), got {activation!r}"
        )
    return found


def _checked(path: str, value: Any) -> Any:
    if path == "layout":
        expected, right = "'pretraining' or 'retrieval'", value in get_args(Layout)
    elif path == "bert.hidden_act":
        expected, right = "a string", isinstance(value, str)
    elif path == "vision.qkv_bias":
        expected, right = "true or false", isinstance(value, bool)
    elif path.endswith(("eps", "ratio")):
        expected = "a positive number"
        right = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    else:
        expected = "a whole number, 0 or more"
        right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not right:
        raise CheckpointError(f"the ALBEF config's {path} must be {expected}, got {value!r}")
    return float(value) if expected == "a positive number" else value


def _agree(name: str, stated: Any, seen: Mapping[str, Any]) -> bool:
    if name == "vision.mlp_ratio":
        width = seen["vision.vision_width"]
        return _mlp_width(width, stated) == _mlp_width(width, seen[name])
    return bool(stated == seen[name])


def _sizes(tensors: Mapping[str, HasShape]) -> dict[str, Any]:
    """Return every size that shapes show, by the config's dotted names."""
    retrieval = "text_encoder.embeddings.word_embeddings.weight" in tensors
    text = "text_encoder." if retrieval else "text_encoder.bert."
    return {
        "layout": "retrieval" if retrieval else "pretraining",
        "embed_dim": _shape(tensors, "vision_proj.weight", 2)[0],
        **({"queue_size": _shape(tensors, "image_queue", 2)[1]} if "image_queue" in tensors else {}),
        **_vision_sizes(tensors, "visual_encoder."),
        **_text_sizes(tensors, text),
    }


def _vision_sizes(tensors: Mapping[str, HasShape], prefix: str) -> dict[str, Any]:
    _, positions, width = _shape(tensors, f"{prefix}pos_embed", 3)
    _, channels, patch, _ = _shape(tensors, f"{prefix}patch_embed.proj.weight", 4)
    intermediate, _ = _shape(tensors, f"{prefix}blocks.0.mlp.fc1.weight", 2)
    grid = math.isqrt(max(positions - 1, 0))
    if grid < 1 or grid * grid != positions - 1:
        raise CheckpointError(
            f"{prefix}pos_embed must have a row for [CLS] and a square grid of patches, got {positions} rows"
        )
    return {
        "vision.image_res": grid * patch,
        "vision.patch_size": patch,
        "vision.vision_width": width,
        "vision.depth": _count(tensors, f"{prefix}blocks."),
        "vision.mlp_ratio": intermediate / width,
        "vision.in_chans": channels,
        "vision.qkv_bias": f"{prefix}blocks.0.attn.qkv.bias" in tensors,
    }


def _text_sizes(tensors: Mapping[str, HasShape], prefix: str) -> dict[str, Any]:
    vocabulary, width = _shape(tensors, f"{prefix}embeddings.word_embeddings.weight", 2)
    positions, _ = _shape(tensors, f"{prefix}embeddings.position_embeddings.weight", 2)
    segments, _ = _shape(tensors, f"{prefix}embeddings.token_type_embeddings.weight", 2)
    intermediate, _ = _shape(tensors, f"{prefix}encoder.layer.0.intermediate.dense.weight", 2)
    layers = _count(tensors, f"{prefix}encoder.layer.")
    fused = [number for number in range(layers) if _cross(prefix, number) in tensors]
    fusion_layer = fused[0] if fused else layers
    if fused != list(range(fusion_layer, layers)):
        raise CheckpointError(
            f"the text layers with crossattention must be the last ones, got {fused} of {layers} layers"
        )
    sizes = {
        "bert.vocab_size": vocabulary,
        "bert.hidden_size": width,
        "bert.num_hidden_layers": layers,
        "bert.intermediate_size": intermediate,
        "bert.fusion_layer": fusion_layer,
        "bert.max_position_embeddings": positions,
        "bert.type_vocab_size": segments,
    }
    source = _cross(prefix, fusion_layer) if fused else "visual_encoder.pos_embed"
    return sizes | {"bert.encoder_width": tensors[source].shape[-1]}


def _cross(prefix: str, number: int) -> str:
    return f"{prefix}encoder.layer.{number}.crossattention.self.key.weight"


def _shape(tensors: Mapping[str, HasShape], key: str, axes: int) -> tuple[int, ...]:
    if key not in tensors:
        raise CheckpointError(f"not a checkpoint in ALBEF's layout: it has no tensor {key}")
    shape = tuple(tensors[key].shape)
    if len(shape) != axes or 0 in shape:
        raise CheckpointError(f"{key} must have {axes} axes, none empty, got shape {shape}")
    return shape


def _count(tensors: Iterable[str], prefix: str) -> int:
    """Return the number of numbered modules below `prefix`; a gap shows later, as missing keys."""
    numbered = re.compile(re.escape(prefix) + r"(\d+)\.")
    return len({found[1] for key in tensors if (found := numbered.match(key))})
