"""Helpers shared by the parity of all models over captions and regions."""

import json
import tempfile
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase

import torch

import vlaudit
from vlaudit.models.streams.contract import Inputs, Wanted

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def load_case(case, device):
    """Return the adapter of a case; its vocabulary is generated, because the goldens hold ids."""
    with tempfile.TemporaryDirectory() as folder:
        write_vocabulary(Path(folder), case.config["vocab_size"])
        return vlaudit.load(case.family, checkpoint=case.checkpoint, device=str(device), tokenizer=folder)


def write_vocabulary(folder, rows):
    """Write a vocabulary of this many pieces: the special ones, and words of three letters."""
    words = ("".join(letters) for letters in product(ascii_lowercase, repeat=3))
    lines = [*SPECIAL, *islice(words, rows - len(SPECIAL))]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_model(folder, network):
    """Write a network as a trainer does: weights in the published layout, with sizes and vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network.published_state_dict(), folder / "model.pth")
    (folder / "config.json").write_text(json.dumps(network.config.to_json()), encoding="utf-8")
    write_vocabulary(folder, network.config.vocab_size)
    return folder / "model.pth"


def random_inputs(network, *, lengths=(7, 4, 9), regions=(5, 6, 3)):
    """Return a batch of random captions and regions, padded to the longest."""
    layout, rows = network.layout, len(lengths)
    mask, present = (torch.tensor([[int(i < n) for i in range(max(ns))] for n in ns]) for ns in (lengths, regions))
    corners = torch.rand(rows, max(regions), 2, 2).sort(dim=2).values  # left, top before right, bottom
    return Inputs(
        torch.randint(len(SPECIAL), layout.vocabulary_size, mask.shape) * mask,
        mask,
        torch.rand(*present.shape, layout.region_width) * present[..., None],
        corners.flatten(2) * present[..., None],
        present,
    )


def row_alone(inputs, row):
    """Return one row of a batch without padding."""
    words, regions = int(inputs.mask[row].sum()), int(inputs.present[row].sum())
    return Inputs(
        inputs.ids[row : row + 1, :words],
        inputs.mask[row : row + 1, :words],
        inputs.features[row : row + 1, :regions],
        inputs.boxes[row : row + 1, :regions],
        inputs.present[row : row + 1, :regions],
    )


def load_network(case, device):
    """Return the network of a case."""
    return load_case(case, device).network


def everything(network):
    """Return a request for every state and attention of the network."""
    layout = network.layout
    return Wanted(
        frozenset((*pair, layer) for pair, layers in layout.attention.items() for layer in layers),
        frozenset((modality, stage) for modality, stages in layout.states.items() for stage in stages),
    )
