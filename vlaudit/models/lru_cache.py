"""A cache of the results used last, filled in batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Value = TypeVar("Value")


class LRUCache(Generic[Value]):
    """Keep the `size` results used last; `functools.lru_cache` cannot compute several missing ones in one call.

    >>> cache = LRUCache[int](2)
    >>> cache.get(["a", "b"], lambda missing: [len(missing)] * len(missing))
    [2, 2]
    >>> cache.get(["b", "c"], lambda missing: [len(missing)] * len(missing))
    [2, 1]
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._held: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, keys: Sequence[Hashable], compute: Callable[[list[Hashable]], Sequence[Value]]) -> list[Value]:
        """Return the results for `keys`, computing all that are missing in one call."""
        known = {key: self._held[key] for key in keys if key in self._held}
        missing = [key for key in dict.fromkeys(keys) if key not in known]
        if missing:
            known |= zip(missing, compute(missing), strict=True)
        self.put(keys, [known[key] for key in keys])
        return [known[key] for key in keys]

    def get_one(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return the result for one key, computed if it is missing."""
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        value = compute()
        self.put([key], [value])
        return value

    def put(self, keys: Sequence[Hashable], values: Sequence[Value]) -> None:
        """Store results as those used last."""
        for key, value in zip(keys, values, strict=True):
            self._held[key] = value
            self._held.move_to_end(key)
        while len(self._held) > self.size:
            self._held.popitem(last=False)
