"""LXMERT (Tan & Bansal 2019) as transformers computes it: two stacks, then layers that exchange.

Language layers are numbered 0..L-1, the regions' own layers 0..R-1, cross layer k is number L+k for both modalities
(R+k where the regions have more layers of their own; no published model has).
Stage 0 are the embeddings after their norm, stage i + 1 leaves layer i. A cross layer first lets each modality ask the
other, both reading what entered the layer, with one set of weights; then each asks itself.
The class has one plain kernel, which computes the probabilities in any case ("eager"; no fused one up to transformers
5.23). It hands out only some of them, so they are caught where they arise, in the layers that are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vlaudit.errors import RequestError
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, WeightsFile
from vlaudit.models.hf.folder import Kind, load_class
from vlaudit.models.streams.contract import Inputs, Layout, Pair, Streams, Wanted
from vlaudit.traces import Modality

LXMERT = Kind(
    family="LXMERT",
    model_type="lxmert",
    config_class="LxmertConfig",
    model_class="LxmertForPreTraining",
    base="lxmert",
    settings=(
        *("l_layers", "x_layers", "r_layers", "visual_feat_dim"),
        *("num_qa_labels", "num_object_labels", "num_attr_labels", "task_qa", "task_obj_predict"),
        *("visual_obj_loss", "visual_attr_loss", "visual_feat_loss"),
    ),
    fixed={"visual_pos_dim": 4, "task_matched": True, "task_mask_lm": True},
)
TRAINED_LENGTH = 20
"""Most tokens of a caption that pretraining read, [CLS] and [SEP] included; what was longer was cut."""
_ACROSS: tuple[Pair, Pair] = (("text", "image"), ("image", "text"))
Maps = dict[tuple[Modality, Modality, int], Tensor]


class LxmertNetwork(nn.Module):
    """A `transformers.LxmertForPreTraining`, given as `model`, behind the contract of `RegionNetwork`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def layout(self) -> Layout:
        """What there is to be read."""
        config, first = self.model.config, self._first_cross
        cross = tuple(range(first, first + config.x_layers))
        own: dict[Modality, tuple[int, ...]] = {
            "text": (*range(config.l_layers), *cross),
            "image": (*range(config.r_layers), *cross),
        }
        return Layout(
            architecture="two-stream",
            joint_softmax=False,
            attention={(who, who): layers for who, layers in own.items()} | dict.fromkeys(_ACROSS, cross),
            states={who: (0, *(layer + 1 for layer in layers)) for who, layers in own.items()},
            heads=config.num_attention_heads,
            max_length=min(TRAINED_LENGTH, config.max_position_embeddings),
            vocabulary_size=config.vocab_size,
            region_width=config.visual_feat_dim,
            classes=config.num_object_labels if config.task_obj_predict and config.visual_obj_loss else None,
        )

    @property
    def _first_cross(self) -> int:
        own: tuple[int, int] = self.model.config.l_layers, self.model.config.r_layers
        return max(own)

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Read the captions and the regions."""
        if inputs.features is None or inputs.boxes is None:
            raise RequestError("LXMERT reads regions and their boxes, and was given none")
        maps: Maps = {}
        with self._caught_attention(wanted, maps), self._caught_embeddings() as embeddings:
            out = self.model.lxmert(
                inputs.ids,
                visual_feats=inputs.features,
                visual_pos=inputs.boxes,
                attention_mask=inputs.mask,
                visual_attention_mask=inputs.present,
                token_type_ids=inputs.types,
                output_hidden_states=True,
                return_dict=True,
            )
        after = {"text": out.language_hidden_states, "image": out.vision_hidden_states}
        places = {who: {stage: i for i, stage in enumerate(stages)} for who, stages in self.layout.states.items()}
        states = {(who, stage): (embeddings[who], *after[who])[places[who][stage]] for who, stage in wanted.states}
        return Streams(out.language_output, out.vision_output, states, maps)

    @contextmanager
    def _caught_embeddings(self) -> Iterator[dict[Modality, Tensor]]:
        """Keep what enters the first layers, which is not among the class's hidden states."""
        kept: dict[Modality, Tensor] = {}
        modules: dict[Modality, nn.Module] = {
            "text": self.model.lxmert.embeddings,
            "image": self.model.lxmert.encoder.visn_fc,
        }
        with ExitStack() as hooks:
            for who, module in modules.items():
                hook = module.register_forward_hook(lambda _m, _args, out, who=who: kept.__setitem__(who, out))
                hooks.callback(hook.remove)
            yield kept

    @contextmanager
    def _caught_attention(self, wanted: Wanted, maps: Maps) -> Iterator[None]:
        """Put into `maps` what is wanted, as the attention modules compute it."""
        with ExitStack() as hooks:
            for module, calls in self._attentions().items():
                if wanted.attention.intersection(calls):
                    for hook in _catch(module, calls, wanted, maps):
                        hooks.callback(hook.remove)
            yield

    def _attentions(self) -> dict[nn.Module, tuple[tuple[Modality, Modality, int], ...]]:
        """Return every attention module, and for each of its calls in a pass who asks whom, in which layer."""
        encoder, first = self.model.lxmert.encoder, self._first_cross
        found: dict[nn.Module, tuple[tuple[Modality, Modality, int], ...]] = {}
        for number, layer in enumerate(encoder.layer):
            found[layer.attention.self] = (("text", "text", number),)
        for number, layer in enumerate(encoder.r_layers):
            found[layer.attention.self] = (("image", "image", number),)
        for number, layer in enumerate(encoder.x_layers, start=first):
            # One module for both directions: the class lets the text ask first.
            found[layer.visual_attention.att] = tuple((*pair, number) for pair in _ACROSS)
            found[layer.lang_self_att.self] = (("text", "text", number),)
            found[layer.visn_self_att.self] = (("image", "image", number),)
        return found

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Score every word at these text states."""
        logits: Tensor = self.model.cls.predictions(states)
        return logits

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Return (no match, match) from the pooled [CLS]: the class's own order, its label 1 is a matching pair."""
        logits: Tensor = self.model.cls.seq_relationship(self.model.lxmert.pooler(streams.text))
        return logits

    def region_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Score the detector's classes at these image states; there is none for background."""
        head = self.model.obj_predict_head
        logits: Tensor = head.decoder_dict["obj"](head.transform(states))
        return logits


def _catch(
    module: nn.Module, calls: tuple[tuple[Modality, Modality, int], ...], wanted: Wanted, maps: Maps
) -> Iterator[torch.utils.hooks.RemovableHandle]:
    """Have a module return its probabilities beside its output, and keep those of the wanted calls."""
    remaining = iter(calls)

    def ask(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args, kwargs | {"output_attentions": True}

    def keep(_module: nn.Module, _args: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        call = next(remaining)
        if call in wanted.attention:
            maps[call] = output[1]

    yield module.register_forward_pre_hook(ask, with_kwargs=True)
    yield module.register_forward_hook(keep)


def open_lxmert(options: LoadOptions) -> tuple[LxmertNetwork, WeightsFile, KeyReport]:
    """Read the network of an LXMERT folder, or of the weights file in it; errors as `load_class` raises them."""
    model, file, keys = load_class(LXMERT, options)
    return LxmertNetwork(model), file, keys
