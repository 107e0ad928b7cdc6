"""Our networks hold exactly the published keys, shapes and types, tied tensors are one, and files convert."""

import pytest
import torch
from parity.albef import encode, load_case
from parity.cases import Case

from vlaudit.models.albef.config import AlbefConfig
from vlaudit.models.albef.image_encoder import interpolate_positions
from vlaudit.models.albef.network import Albef


def full_size(layout, **held):
    with torch.device("meta"):
        return Albef(AlbefConfig.published(layout), **held)


@pytest.mark.parametrize("layout", ["pretraining", "retrieval"])
def test_full_size_network_has_the_published_keys(layout, layouts):
    """Names, shapes, types and order are those of the official model, without any memory for its weights."""
    state = full_size(layout, momentum=True, queues=True).state_dict()
    ours = [(key, [list(t.shape), str(t.dtype).removeprefix("torch.")]) for key, t in state.items()]
    assert ours == list(layouts[layout].items())
    assert all(tensor.is_meta for tensor in state.values())


@pytest.mark.parametrize("layout", ["pretraining", "retrieval"])
def test_audits_hold_the_online_weights_only(layout, layouts):
    """Without momentum and queues, what is missing is exactly what only training needs."""
    missing = layouts[layout].keys() - full_size(layout).state_dict().keys()
    assert missing == {key for key in layouts[layout] if "_m." in key or "queue" in key}


def test_tied_tensors_are_one(small):
    """The decoder is the word table and its two biases are one, in both towers, as in the official model."""
    state = small.state_dict()
    for tower in ("text_encoder", "text_encoder_m"):
        words, head = f"{tower}.bert.embeddings.word_embeddings.weight", f"{tower}.cls.predictions"
        assert state[f"{head}.decoder.weight"].data_ptr() == state[words].data_ptr()
        assert state[f"{head}.decoder.bias"].data_ptr() == state[f"{head}.bias"].data_ptr()


def test_assigned_tensors_are_tied_again(small):
    """Assigning loaded tensors, as a loader does that holds them once, splits the ties; `tie` mends them."""
    with torch.device("meta"):
        fresh = Albef(small.config, momentum=True, queues=True)
    tensors = {key: tensor.clone() for key, tensor in small.state_dict().items()}
    fresh.load_state_dict(tensors, assign=True)
    before = sum(1 for _ in fresh.parameters())
    fresh.tie()
    assert sum(1 for _ in fresh.parameters()) == before - 4 == sum(1 for _ in small.parameters())


def test_loading_keeps_the_padding_row(network, case):
    """Trap 7: the [PAD] row of a checkpoint is not zero, and is loaded unchanged."""
    row = network.text_encoder.bert.embeddings.word_embeddings.weight[0]
    stored = torch.load(case.checkpoint, weights_only=True)["model"]
    assert torch.equal(row, stored["text_encoder.bert.embeddings.word_embeddings.weight"][0])
    assert row.abs().max() > 0


@pytest.fixture
def retrieval_case(case, tmp_path):
    """Return the case as the official retrieval script rewrites it: no `bert.`, no word head, one more queue."""
    tensors = torch.load(case.checkpoint, weights_only=True)["model"]
    tensors = {key.replace("bert.", ""): tensor for key, tensor in tensors.items() if ".cls." not in key}
    tensors["idx_queue"] = torch.full_like(tensors["image_queue"][:1], -100, dtype=torch.long)
    folder = tmp_path / "albef" / case.folder.name
    folder.mkdir(parents=True)
    torch.save({"model": tensors}, folder / "checkpoint.pth")
    for name in ("config.json", "vocab.txt"):
        (folder / name).write_bytes((case.folder / name).read_bytes())
    return Case(folder)


@pytest.mark.parametrize("resolution", ["stored", "hires"])
def test_retrieval_layout_computes_the_same(case, retrieval_case, resolution):
    """Trap 17: without `bert.` and the word head, image states and match logits are equal to the bit."""
    pixels = case.inputs["pixel_values" if resolution == "stored" else "pixel_values_hires"]
    rows = {name: case.inputs[name][: len(pixels)] for name in ("input_ids", "attention_mask")}
    ours, converted = (load_case(one, "cpu", image_size=pixels.shape[-1]) for one in (case, retrieval_case))
    passes, same = (encode(model, rows | {"pixel_values": pixels}) for model in (ours, converted))
    assert converted.config.layout == "retrieval"
    assert torch.equal(passes[0].last, same[0].last)
    assert torch.equal(ours.itm_logits(passes[2].last), converted.itm_logits(same[2].last))
    name = "image_embeds" if resolution == "stored" else "hires.image_embeds"
    torch.testing.assert_close(same[0].last, case.expected[name], atol=2e-5, rtol=0)


def test_a_position_table_that_fits_is_kept():
    """Trap 16: nothing is resampled where the grids match."""
    table = torch.randn(1, 17, 6)
    assert interpolate_positions(table, 4) is table


@pytest.mark.parametrize("grid", [1, 3, 5, 8])
def test_interpolation_keeps_the_cls_row(grid):
    """Trap 16: only the patches are resampled, to the grid that was requested."""
    table = torch.randn(1, 17, 6)
    resized = interpolate_positions(table, grid)
    assert resized.shape == (1, 1 + grid**2, 6)
    assert torch.equal(resized[:, 0], table[:, 0])


def test_interpolation_keeps_constants_and_rows():
    """A constant grid stays so, and a table that varies from left to right only still does: no transposition."""
    constant = interpolate_positions(torch.full((1, 17, 2), 3.0), 7)
    torch.testing.assert_close(constant, torch.full((1, 50, 2), 3.0))
    ramp = torch.cat([torch.zeros(1), torch.arange(4.0).repeat(4)]).reshape(1, 17, 1)
    grid = interpolate_positions(ramp, 6)[0, 1:, 0].reshape(6, 6)
    torch.testing.assert_close(grid, grid[:1].expand(6, 6))
    assert (grid[0].diff() > 0).all()
