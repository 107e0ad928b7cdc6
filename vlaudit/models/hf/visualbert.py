"""VisualBERT (Li et al. 2019) as transformers computes it: one stack over the caption and then the regions.

It reads no boxes. The class has only the plain kernel ("eager", up to transformers 5.23), which computes attention
probabilities in any case; they are kept only where attention is wanted.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RequestError
from vlaudit.models.hf.folder import Kind, bert_aliases
from vlaudit.models.hf.outputs import TransformersNetwork, one_stack_layout, run_one_stack
from vlaudit.models.streams.contract import Inputs, Layout, Streams, Wanted


class VisualBertNetwork(TransformersNetwork):
    """A `transformers.VisualBertForPreTraining`, given as `model`, as a `JointNetwork`."""

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs."""
        return one_stack_layout(self.model.config, region_width=self.model.config.visual_embedding_dim)

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Run a pass; regions have token type 1 and position 0, as in the authors' code."""
        if inputs.features is None or inputs.present is None:
            raise RequestError("VisualBERT reads regions, got none")
        features = {"visual_embeds": inputs.features, "visual_attention_mask": inputs.present}
        return run_one_stack(self.model.visual_bert, inputs, wanted, **features)

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Return one logit per word at these text states."""
        logits: Tensor = self.model.cls.predictions(states)
        return logits

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Return (no match, match) from the pooled [CLS]. The class's label 0 is a matching pair, 1 a random one."""
        logits: Tensor = self.model.cls.seq_relationship(self.model.visual_bert.pooler(streams.text))
        return torch.flip(logits, (-1,))


VISUAL_BERT = Kind(
    family="VisualBERT",
    model_type="visual_bert",
    model_class="VisualBertForPreTraining",
    network=VisualBertNetwork,
    aliases=bert_aliases("visual_bert"),
    fixed={"bypass_transformer": False},
)
