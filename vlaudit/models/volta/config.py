"""VOLTA configs: sizes, the embedding of regions, and the content of each sublayer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vlaudit.errors import CheckpointError, UsageError, nearest
from vlaudit.traces import Modality

Embedding = Literal["uniter", "lxmert", "vilbert", "vl-bert", "visualbert"]
Size = Annotated[int, Field(strict=True, ge=1, le=2**20)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Sublayers = tuple[Annotated[int, Field(strict=True, ge=0)], ...]

PUBLISHED = ("ctrl_lxmert", "ctrl_uniter", "ctrl_vilbert", "ctrl_visualbert", "ctrl_vl-bert")
"""The models whose configs are shipped."""

_OVERRIDES = ("attn_hidden_size", "num_attention_heads", "intermediate_size")


@dataclass(frozen=True)
class Layer:
    """An attention sublayer and the feed-forward sublayers up to the next one: sublayers `first` to `last`."""

    first: int
    last: int
    modalities: frozenset[Modality]


class VoltaConfig(BaseModel):
    """The fields of an official config that change the arithmetic, under their official names.

    `tt_attn_sublayers` names the sublayers with attention of text on text, tv of text on regions, and so on;
    `shared_sublayers` have the same weights for both modalities. Dropout is not read; `single_ln_sublayers` changes no
    number. `mrc_num_classes` (1601 officially) and `layer_norm_eps` are constants of the official code.
    Settings that no controlled model uses are refused: widths or heads that differ between modalities or sublayers.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    hidden_size: Size
    num_attention_heads: Size
    intermediate_size: Size
    vocab_size: Size
    max_position_embeddings: Size
    type_vocab_size: Size
    pooler_size: Size
    image_embeddings: Embedding
    v_feature_size: Size
    v_hidden_size: Size
    v_num_attention_heads: Size
    v_intermediate_size: Size
    v_pooler_size: Size
    tt_attn_sublayers: Sublayers = ()
    tv_attn_sublayers: Sublayers = ()
    vt_attn_sublayers: Sublayers = ()
    vv_attn_sublayers: Sublayers = ()
    t_ff_sublayers: Sublayers = ()
    v_ff_sublayers: Sublayers = ()
    shared_sublayers: Sublayers = ()
    single_ln_sublayers: Sublayers = ()
    v_coordinate_embeddings_dim: Size | None = None
    image_head_ln: Annotated[bool, Field(strict=True)] = True
    initializer_range: Positive = 0.02
    layer_norm_eps: Positive = 1e-12
    mrc_num_classes: Size = 1601
    num_locs: Literal[5] = 5
    hidden_act: Literal["gelu"] = "gelu"
    v_hidden_act: Literal["gelu"] = "gelu"
    fusion_method: Literal["mul"] = "mul"
    add_global_imgfeat: Literal["first"] = "first"
    visual_target_weights: dict[Literal["0"], Positive] = Field(default={"0": 1.0}, min_length=1)

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> VoltaConfig:
        """Validate a decoded config file; raises one `CheckpointError` that names every invalid field."""
        overridden = [
            name for part in _OVERRIDES for name in (f"sublayer2{part}", f"sublayer2v_{part}") if config.get(name)
        ]
        if overridden:
            raise CheckpointError(
                f"the VOLTA config's {', '.join(overridden)} must be empty: the controlled models have the same sizes "
                "in every sublayer"
            )
        try:
            return cls.model_validate(dict(config))
        except ValidationError as error:
            wrong = "; ".join(_stated(one) for one in error.errors())
            raise CheckpointError(f"the VOLTA config is not valid: {wrong}") from None

    @classmethod
    def published(cls, name: str) -> VoltaConfig:
        """Return the config that one of `PUBLISHED` was trained with."""
        return cls.from_json(published_fields(name))

    def to_json(self) -> dict[str, Any]:
        """Return the input of `from_json`."""
        return self.model_dump(mode="json", exclude_none=True)

    @model_validator(mode="after")
    def _sizes_agree(self) -> VoltaConfig:
        for name in ("hidden_size", "num_attention_heads", "pooler_size"):
            if getattr(self, name) != getattr(self, f"v_{name}"):
                raise ValueError(
                    f"{name} and v_{name} must be equal, got {getattr(self, name)} and {getattr(self, f'v_{name}')}"
                )
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size must be a multiple of num_attention_heads, got {self.hidden_size} and "
                f"{self.num_attention_heads}"
            )
        if self.image_embeddings == "vl-bert":
            self._check_vl_bert()
        elif self.image_embeddings == "uniter" and self.type_vocab_size < 2:
            raise ValueError(f"type_vocab_size must be 2 or more (regions are of type 1), got {self.type_vocab_size}")
        return self

    def _check_vl_bert(self) -> None:
        numbers = self.v_coordinate_embeddings_dim
        if numbers is None or 8 * numbers != self.v_feature_size:
            raise ValueError(
                "v_coordinate_embeddings_dim must be an eighth of v_feature_size (a sine and a cosine of four numbers "
                f"of a box), got {numbers} and {self.v_feature_size}"
            )
        if self.type_vocab_size < 3:
            raise ValueError(f"type_vocab_size must be 3 or more (regions are of type 2), got {self.type_vocab_size}")

    @model_validator(mode="after")
    def _sublayers_make_sense(self) -> VoltaConfig:
        attention, forward = self._attention_sublayers, {*self.t_ff_sublayers, *self.v_ff_sublayers}
        if both := sorted(attention & forward):
            raise ValueError(f"sublayers {both} must hold attention or feed-forward, not both")
        if len(attention | forward) != self.sublayers or 0 not in attention:
            raise ValueError(
                "the sublayers must be numbered 0, 1, 2, ... without a gap, the first an attention sublayer, got "
                f"attention {sorted(attention)} and feed-forward {sorted(forward)}"
            )
        self._check_attention()
        return self

    def _check_attention(self) -> None:
        for number in sorted(self._attention_sublayers):
            kinds = {
                queries + keys
                for queries, keys in (("t", "t"), ("t", "v"), ("v", "t"), ("v", "v"))
                if number in self.kind(queries + keys)
            }
            if {kind[0] for kind in kinds} != {letter for kind in kinds for letter in kind}:
                raise ValueError(
                    f"attention sublayer {number} must have queries of every modality that it has keys of, "
                    f"got {sorted(kinds)}"
                )
        joint = set(self.tt_attn_sublayers) & set(self.tv_attn_sublayers)
        joint |= set(self.vv_attn_sublayers) & set(self.vt_attn_sublayers)
        every = [set(self.kind(kind)) for kind in ("tt", "tv", "vt", "vv")]
        if joint and any(held != self._attention_sublayers for held in every):
            raise ValueError(
                "where text and regions share one softmax, every attention sublayer must hold tt, tv, vt and vv, got "
                + ", ".join(map(str, map(sorted, every)))
            )

    def kind(self, name: str) -> Sublayers:
        """Return the attention sublayers of a kind: "tt", "tv", "vt" or "vv"."""
        held: Sublayers = getattr(self, f"{name}_attn_sublayers")
        return held

    @property
    def _attention_sublayers(self) -> set[int]:
        return {number for kind in ("tt", "tv", "vt", "vv") for number in self.kind(kind)}

    @property
    def sublayers(self) -> int:
        """Number of sublayers."""
        return 1 + max((*self._attention_sublayers, *self.t_ff_sublayers, *self.v_ff_sublayers), default=-1)

    @property
    def single_stream(self) -> bool:
        """True if text and regions share one softmax."""
        return bool(set(self.tt_attn_sublayers) & set(self.tv_attn_sublayers))

    def touched(self, number: int) -> frozenset[Modality]:
        """Return the modalities whose states this sublayer changes."""
        text = (*self.tt_attn_sublayers, *self.tv_attn_sublayers, *self.t_ff_sublayers)
        image = (*self.vt_attn_sublayers, *self.vv_attn_sublayers, *self.v_ff_sublayers)
        sides: tuple[tuple[Modality, Sublayers], ...] = (("text", text), ("image", image))
        return frozenset(modality for modality, held in sides if number in held)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, by depth."""
        starts = sorted(self._attention_sublayers)
        ends = [following - 1 for following in (*starts[1:], self.sublayers)]
        spans = zip(starts, ends, strict=True)
        return tuple(
            Layer(first, last, frozenset().union(*(self.touched(number) for number in range(first, last + 1))))
            for first, last in spans
        )


def _stated(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"{where} is missing"
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}, got {error['input']!r}" if where else text


def published_fields(name: str) -> dict[str, Any]:
    """Return all fields of an official config file, for a config of other sizes."""
    if name not in PUBLISHED:
        raise UsageError(f"no VOLTA config of this name is shipped: {name!r}{nearest(name, PUBLISHED)}")
    text = resources.files("vlaudit.models.volta").joinpath("configs", f"{name}.json").read_text(encoding="utf-8")
    fields: dict[str, Any] = json.loads(text)
    return fields


def single_stream_sublayers(layers: int) -> dict[str, list[int]]:
    """Return the sublayer fields of ctrl_uniter, ctrl_visualbert and ctrl_vl-bert, which have 12 layers."""
    attention, forward = list(range(0, 2 * layers, 2)), list(range(1, 2 * layers, 2))
    every = list(range(2 * layers))
    kinds = {f"{kind}_attn_sublayers": attention for kind in ("tt", "tv", "vt", "vv")}
    ends = {"t_ff_sublayers": forward, "v_ff_sublayers": forward}
    return kinds | ends | {"shared_sublayers": every, "single_ln_sublayers": every}


def lxmert_sublayers(text: int, image: int, cross: int) -> dict[str, list[int]]:
    """Return the sublayer fields of ctrl_lxmert, which has 9 text, 5 region and 5 cross layers; `text` >= `image`."""
    start = 2 * text
    blocks = list(range(start, start + 3 * cross, 3))
    selves, forwards = [n + 1 for n in blocks], [n + 2 for n in blocks]
    return {
        "tt_attn_sublayers": [*range(0, start, 2), *selves],
        "tv_attn_sublayers": blocks,
        "vt_attn_sublayers": blocks,
        "vv_attn_sublayers": [*range(0, 2 * image, 2), *selves],
        "t_ff_sublayers": [*range(1, start, 2), *forwards],
        "v_ff_sublayers": [*range(1, 2 * image, 2), *forwards],
        "shared_sublayers": blocks,
        "single_ln_sublayers": [],
    }


def vilbert_sublayers(text: int, blocks: int) -> dict[str, list[int]]:
    """Return the sublayer fields of ctrl_vilbert, which has 6 text layers and 6 blocks of co- and self-attention."""
    start = 2 * text
    end = start + 4 * blocks
    across, selves = list(range(start, end, 4)), list(range(start + 2, end, 4))
    forward = list(range(start + 1, end, 2))
    return {
        "tt_attn_sublayers": [*range(0, start, 2), *selves],
        "tv_attn_sublayers": across,
        "vt_attn_sublayers": across,
        "vv_attn_sublayers": selves,
        "t_ff_sublayers": [*range(1, start, 2), *forward],
        "v_ff_sublayers": forward,
        "shared_sublayers": [],
        "single_ln_sublayers": [],
    }
