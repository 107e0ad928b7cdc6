"""The eager attention and the fused kernel are one function; masks and heads behave as documented."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.models.attention import additive_mask, attend, merge_heads, split_heads, wanted

sizes = st.integers(1, 5)


@given(shape=st.tuples(*[sizes] * 5), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_reading_the_weights_changes_nothing(shape, seed):
    """Both give the same context, and the weights are those that mixed the values."""
    batch, heads, queries, keys, depth = shape
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(batch, heads, queries, depth, generator=generator)
    key, value = torch.randn(2, batch, heads, keys, depth, generator=generator)
    mask = additive_mask(torch.rand(batch, keys, generator=generator) < 0.7, torch.float32)
    fused, none = attend(query, key, value, mask)
    eager, weights = attend(query, key, value, mask, weights=True)
    assert none is None
    torch.testing.assert_close(eager, fused, atol=1e-5, rtol=0)
    torch.testing.assert_close(weights @ value, eager)
    torch.testing.assert_close(weights.sum(-1), torch.ones(batch, heads, queries))


def test_masked_keys_get_exactly_nothing():
    """In float32 the published fill leaves no trace of a masked key, so a larger one changes nothing."""
    query, key, value = torch.randn(3, 2, 3, 4, 5)
    keep = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 1]])
    _, weights = attend(query, key, value, additive_mask(keep, torch.float32), weights=True)
    _, larger = attend(query, key, value, additive_mask(keep, torch.float32, fill=-1e30), weights=True)
    assert torch.equal(weights, larger)
    assert torch.equal(weights > 0, (keep > 0)[:, None, None].expand_as(weights))


@given(heads=sizes, depth=sizes, length=sizes)
@settings(max_examples=10)
def test_heads_split_and_merge(heads, depth, length):
    """Head h holds components h * depth to (h + 1) * depth; merging undoes splitting."""
    vectors = torch.arange(2.0 * length * heads * depth).reshape(2, length, heads * depth)
    split = split_heads(vectors, heads)
    assert torch.equal(split[:, heads - 1], vectors[..., (heads - 1) * depth :])
    assert torch.equal(merge_heads(split), vectors)


def test_layers_are_all_none_or_those_named():
    """True is every layer, False and an empty collection none."""
    assert [wanted(layers, 2) for layers in (True, False, (), {2}, range(2))] == [
        True,
        False,
        False,
        True,
        False,
    ]
