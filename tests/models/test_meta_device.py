import torch
from torch import nn

from vlaudit.models.meta_device import build_on_meta


def _layers() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Embedding(5, 4, padding_idx=0), nn.Conv2d(3, 4, 2))


def test_a_network_on_meta_has_names_shapes_and_types_and_no_memory():
    with build_on_meta():
        bare = _layers().state_dict()
    made = _layers().state_dict()
    assert {name: (t.shape, t.dtype) for name, t in bare.items()} == {n: (t.shape, t.dtype) for n, t in made.items()}
    assert all(tensor.is_meta for tensor in bare.values())


def test_building_on_meta_draws_no_random_numbers():
    before = torch.get_rng_state()
    with build_on_meta():
        _layers()
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_drawn_again_afterwards():
    with build_on_meta():
        pass
    assert nn.Linear(3, 4).weight.std() > 0
