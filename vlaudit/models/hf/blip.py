"""BLIP for retrieval (Li et al. 2022): text layers that cross-attend to a finished image, as transformers computes it.

Fidelity: the norms of the image encoder have the epsilon of config.json, which is the class's 1e-5 by default; the
official code has 1e-6. A caption starts with [CLS] and has at most 35 tokens, as in the official matching demo.
"""

from __future__ import annotations

from torch import Tensor

from vlaudit.models.hf.folder import Kind
from vlaudit.models.hf.outputs import TransformersNetwork, cross_attention_layout, run_stage
from vlaudit.models.streams.contract import Layout, Stage, Streams, Wanted
from vlaudit.models.streams.pixels import PixelLayout


class BlipNetwork(TransformersNetwork):
    """A `BlipForImageTextRetrieval` as a `StagedNetwork`: no word head; image states precede the final norm."""

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs."""
        return cross_attention_layout(self.model.config, max_length=35, pixels=self.pixels, words=False)

    def text_stage(self, ids: Tensor, mask: Tensor, wanted: Wanted) -> Stage:
        """Embed the caption: every text layer reads the image."""
        states = self.model.text_encoder.embeddings(ids)
        return Stage(states, {("text", 0): states})

    def image_stage(self, pixels: Tensor, wanted: Wanted) -> Stage:
        """Encode images."""
        return run_stage(self.model.vision_model, "image", wanted, pixel_values=pixels)

    def fusion_stage(self, text: Tensor, mask: Tensor, image: Tensor, wanted: Wanted) -> Stage:
        """Run the text layers."""
        read = {"encoder_embeds": text, "attention_mask": mask, "encoder_hidden_states": image}
        return run_stage(self.model.text_encoder, "text", wanted, **read)

    def match_logits(self, streams: Streams) -> Tensor:
        """Return (no match, match) from [CLS], in the class's own order."""
        return self.model.itm_head(streams.text[:, 0])  # type: ignore[no-any-return]


SECTIONS = ("", "text_config", "vision_config")
BLIP = Kind("BLIP", "blip", "BlipForImageTextRetrieval", BlipNetwork, SECTIONS, pixels=PixelLayout(384, 16))
