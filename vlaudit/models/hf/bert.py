"""BERT (Devlin et al. 2019) as transformers computes it: what can be told from the caption alone.

Stage 0 are the embeddings after their norm, stage i + 1 leaves layer i. Without attention wanted it runs transformers'
fused kernel ("sdpa"); with it the plain one ("eager"), in all layers: the class knows no choice of layers.
Before transformers 4.53, where the kernel cannot be chosen later, the class itself falls back as attention is asked.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from vlaudit.errors import RequestError
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, WeightsFile
from vlaudit.models.hf.folder import Kind, load_class
from vlaudit.models.streams.contract import Inputs, Layout, Streams, Wanted

BERT = Kind(
    family="BERT",
    model_type="bert",
    config_class="BertConfig",
    model_class="BertForMaskedLM",
    base="bert",
    settings=("num_hidden_layers", "layer_norm_eps", "pad_token_id"),
    fixed={"is_decoder": False, "add_cross_attention": False, "position_embedding_type": "absolute"},
    # The next-sentence head and the pooler below it: published beside the word head, and read by no audit.
    training_only=r"cls\.seq_relationship\.(weight|bias)|bert\.pooler\.dense\.(weight|bias)",
)


class BertNetwork(nn.Module):
    """A `transformers.BertForMaskedLM` behind the contract of `RegionNetwork`; it is given no regions, or leaves them.

    `model` is the class itself, for a trainer: its `save_pretrained` writes what `--model bert --checkpoint` reads.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def layout(self) -> Layout:
        """What there is to be read: text alone."""
        config = self.model.config
        return Layout(
            architecture="text-only",
            joint_softmax=False,
            attention={("text", "text"): tuple(range(config.num_hidden_layers))},
            states={"text": tuple(range(config.num_hidden_layers + 1))},
            heads=config.num_attention_heads,
            max_length=config.max_position_embeddings,
            vocabulary_size=config.vocab_size,
            matches=False,
        )

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Read the captions."""
        use_kernel(self.model, "eager" if wanted.attention else "sdpa")
        out = self.model.bert(
            inputs.ids,
            attention_mask=inputs.mask,
            token_type_ids=inputs.types,
            output_attentions=bool(wanted.attention),
            output_hidden_states=bool(wanted.states),
        )
        states = {(who, stage): out.hidden_states[stage] for who, stage in wanted.states}
        attention = {(asks, answers, layer): out.attentions[layer] for asks, answers, layer in wanted.attention}
        return Streams(out.last_hidden_state, states=states, attention=attention)

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Score every word at these text states."""
        logits: Tensor = self.model.cls(states)
        return logits

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Refuse: there is no image to match."""
        raise RequestError("BERT reads no image, so it cannot say whether caption and image belong together")

    def region_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Refuse: there are no regions."""
        raise RequestError("BERT reads no regions, so it cannot name them")


def use_kernel(model: Any, name: str) -> None:
    """Choose between the kernels of a transformers model that can change it; elsewhere its class chooses."""
    if hasattr(model, "set_attn_implementation") and model.config._attn_implementation != name:  # noqa: SLF001 (no public getter)
        model.set_attn_implementation(name)


def open_bert(options: LoadOptions) -> tuple[BertNetwork, WeightsFile, KeyReport]:
    """Read the network of a BERT folder, or of the weights file in it; `CheckpointError` as `load_class` raises it."""
    model, file, keys = load_class(BERT, options)
    return BertNetwork(model), file, keys
