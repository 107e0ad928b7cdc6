"""What the parity of all models over captions and regions shares."""

import tempfile
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase

import vlaudit
from vlaudit.models.regional.streams import Wanted

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def load_case(case, device):
    """Return the adapter of a case; its vocabulary is made up, for the goldens give ids."""
    with tempfile.TemporaryDirectory() as folder:
        words = ("".join(letters) for letters in product(ascii_lowercase, repeat=3))
        lines = [*SPECIAL, *islice(words, case.config["vocab_size"] - len(SPECIAL))]
        (Path(folder) / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return vlaudit.load(case.family, checkpoint=case.checkpoint, device=str(device), tokenizer=folder)


def load_network(case, device):
    """Return the network of a case."""
    return load_case(case, device).network


def everything(network):
    """Ask for every state and attention that the network has."""
    layout = network.layout
    return Wanted(
        frozenset((*pair, layer) for pair, layers in layout.attention.items() for layer in layers),
        frozenset((modality, stage) for modality, stages in layout.states.items() for stage in stages),
    )
