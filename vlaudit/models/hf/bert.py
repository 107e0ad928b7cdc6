"""BERT (Devlin et al. 2019) as transformers computes it: the text-only control.

Stage 0 is the normalized embeddings, stage i + 1 the output of layer i. Without attention wanted it runs transformers'
fused kernel ("sdpa"), with it the plain one ("eager") in all layers: the class cannot choose by layer.
Before transformers 4.53, where the kernel cannot be changed later, the class falls back by itself.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from vlaudit.models.hf.folder import Kind, bert_aliases
from vlaudit.models.hf.outputs import TransformersNetwork, one_stack_layout, run_one_stack
from vlaudit.models.streams.contract import Inputs, Layout, Streams, Wanted


class BertNetwork(TransformersNetwork):
    """A `transformers.BertForMaskedLM` as a `JointNetwork` that reads text alone.

    `model` is the class itself, for a trainer: its `save_pretrained` writes what `--model bert --checkpoint` reads.
    """

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs: text alone."""
        layers = tuple(range(self.model.config.num_hidden_layers))
        return one_stack_layout(
            self.model.config,
            architecture="text-only",
            joint_softmax=False,
            attention={("text", "text"): layers},
            states={"text": (*layers, len(layers))},
            match=None,
        )

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Run a pass over the captions."""
        use_kernel(self.model, "eager" if wanted.attention else "sdpa")
        return run_one_stack(self.model.bert, inputs, wanted)

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Return one logit per word at these text states."""
        logits: Tensor = self.model.cls(states)
        return logits


def use_kernel(model: Any, name: str) -> None:
    """Select an attention kernel of a transformers model that can change it; other versions select by themselves."""
    if hasattr(model, "set_attn_implementation") and model.config._attn_implementation != name:  # noqa: SLF001 (no public getter)
        model.set_attn_implementation(name)


BERT = Kind(
    family="BERT",
    model_type="bert",
    model_class="BertForMaskedLM",
    network=BertNetwork,
    aliases=bert_aliases("bert"),
    fixed={"is_decoder": False, "add_cross_attention": False, "position_embedding_type": "absolute"},
    # The next-sentence head and its pooler: published with the word head, and read by no audit.
    training_only=r"cls\.seq_relationship\.(weight|bias)|bert\.pooler\.dense\.(weight|bias)",
)
