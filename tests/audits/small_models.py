"""Small ALBEFs with the vocabulary of the scene world: untrained, and without a path from image to text."""

from functools import cache

import torch

from vlaudit.datasets.scenes import vocabulary
from vlaudit.models.albef.config import AlbefConfig, TextConfig, VisionConfig
from vlaudit.models.albef.network import Albef
from vlaudit.models.checkpoint import KeyReport
from vlaudit.models.provenance import Provenance
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.vocabulary import find_vocabulary


def untrained(folder):
    """Return an ALBEF of random weights, wide enough apart that its answers differ."""
    return _adapter(folder, 0)


def unfused(folder):
    """Return the same with cross-attention that writes nothing: text states never see the image."""
    adapter = _adapter(folder, 0)
    for layer in adapter.network.text_encoder.bert.encoder.layer:
        if layer.crossattention is not None:
            layer.crossattention.output.dense.weight.zero_()
            layer.crossattention.output.dense.bias.zero_()
    return adapter


def _adapter(folder, seed):
    words = _vocabulary(folder)
    torch.manual_seed(seed)
    vision = VisionConfig(96, 16, width=16, depth=2, heads=2)
    text = TextConfig(
        words.size, 16, layers=4, heads=2, intermediate=32, fusion_layer=2, encoder_width=16, max_positions=32
    )
    network = Albef(AlbefConfig(vision, text, projection=8, queue_size=4))
    network.initialise(std=0.2)
    provenance = Provenance("albef", None, "0" * 64, KeyReport(()), "pretraining", "test")
    return EncoderAdapter("albef", network, words, lambda: provenance)


@cache
def _vocabulary(folder):
    lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *vocabulary()]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return find_vocabulary(None, tokenizer=str(folder), published="none", rows=len(lines))
