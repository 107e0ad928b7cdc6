"""Folders as transformers' own classes write them, of tiny random models; no tests."""

import json
import string

import torch
from safetensors.torch import load_file, save_file

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("red", "dog", "runs", "near", "blue", "ball", "man", "holds", "green", "cup", "under", "tree", "cat", "sky")
VOCABULARY = (*SPECIAL, *WORDS, *string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase))
CPU = torch.device("cpu")


def made(model_class, config):
    """Return a model of strong random weights, every tensor drawn, so that a lost tensor changes the results."""
    torch.manual_seed(0)
    model = model_class(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if name.endswith("orm.weight") else 0.0, 0.2)
    return model


def written(model, folder):
    """Write a folder as its owner would, with a vocabulary."""
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return folder


def edited(folder, *, tensors=None, config=None):
    """Rewrite the tensors (by a function) or settings of the config in a folder."""
    if tensors is not None:
        path = folder / "model.safetensors"
        changed = {name: value.clone() for name, value in tensors(load_file(path)).items()}
        path.unlink()  # what was loaded is mapped from it
        save_file(changed, path, metadata={"format": "pt"})
    if config is not None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | config), encoding="utf-8")
    return folder


def padded(lengths):
    """Return ids (0 on padding) and the mask of a batch of these lengths."""
    torch.manual_seed(1)
    mask = torch.tensor([[int(i < length) for i in range(max(lengths))] for length in lengths])
    return torch.randint(5, len(VOCABULARY), mask.shape) * mask, mask


def close(one, other, *, where=None, tolerance=1e-5):
    """Return whether two tensors agree; with a mask, at the real positions of (batch, positions, ...) only."""
    if where is not None:
        one, other = one[where.bool()], other[where.bool()]
    return one.shape == other.shape and float((one - other).abs().max()) <= tolerance
