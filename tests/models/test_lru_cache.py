import hypothesis.strategies as st
from hypothesis import given

from vlaudit.models.lru_cache import LRUCache


@given(st.integers(0, 5), st.lists(st.lists(st.integers(0, 6), max_size=4), max_size=8))
def test_cached_results_equal_computed_ones(size, calls):
    cache = LRUCache(size)
    for keys in calls:
        assert cache.get(keys, lambda missing: [key * 10 for key in missing]) == [key * 10 for key in keys]
        assert len(cache._held) <= size


def test_cached_results_are_not_computed_again():
    cache, requested = LRUCache(2), []

    def compute(keys):
        requested.extend(keys)
        return keys

    for keys in (["a", "b"], ["b", "a"], ["c"], ["a"], ["b"]):
        cache.get(keys, compute)
    assert requested == ["a", "b", "c", "b"]  # c pushed b out, which was used before a
