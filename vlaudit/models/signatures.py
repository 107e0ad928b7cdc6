"""Guess from tensor names which model a weights file holds, for a better error message."""

from __future__ import annotations

import re
from collections.abc import Iterable

# The first line that matches some name in the file wins, so specific patterns precede general ones.
_SIGNATURES = (
    ("ALBEF", r"text_encoder\.(bert\.)?encoder\.layer\.\d+\.crossattention\..*"),
    ("BLIP", r"text_decoder\..*|.*text_encoder\.encoder\.layer\.\d+\.crossattention\.self\..*"),
    ("ViLT", r".*text_embeddings\..*"),
    ("a VOLTA model (ctrl_*)", r"(module\.)?bert\.encoder\.layer\.\d+\.attention_self\.(v_)?query\..*"),
    ("a VOLTA model (ctrl_*)", r"(module\.)?bert\.v_embeddings\..*"),
    ("LXMERT", r"(module\.)?(bert|lxmert)\.encoder\.x_layers\..*"),
    ("UNITER", r"(uniter|bert)\.img_embeddings\..*|uniter\..*"),
    ("VisualBERT", r"visual_bert\..*|.*visual_token_type_embeddings.*"),
    (
        "CLIP",
        r"(visual\.transformer\.resblocks|vision_model\.encoder\.layers|text_model\.encoder\.layers)\..*",
    ),
    ("a generative model with a language model inside", r"(.*\.)?(language_model|model\.layers|lm_head)\b.*"),
    ("BERT", r"(bert\.)?encoder\.layer\.\d+\.attention\.self\.query\..*"),
    ("a vision transformer alone", r"(model\.)?(visual_encoder\.)?blocks\.\d+\.attn\.qkv\..*"),
)


def resembles(names: Iterable[str]) -> str | None:
    """Return the family that these tensor names resemble, or None.

    >>> resembles(["uniter.embeddings.word_embeddings.weight"])
    'UNITER'
    """
    names = list(names)
    for family, pattern in _SIGNATURES:
        if any(re.fullmatch(pattern, name) for name in names):
            return family
    return None
