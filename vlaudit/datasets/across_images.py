"""Order of the samples of a run: one caption per image across the data, before any second caption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count

from vlaudit.samples import Sample


def across_images(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield the first sample of every image, then the second ones, and so on, each in the order of the data.

    The first n of them are of n images, if the data have as many. Lazy: the data are read once for the first samples
    and once more for each further round, and memory holds the image ids of one round.

    >>> captions = [Sample(f"{image}{i}", image, None, "a dog") for image in "ab" for i in (1, 2)]
    >>> [sample.id for sample in across_images(captions)]
    ['a1', 'b1', 'a2', 'b2']
    """
    for rank in count(1):
        seen = Counter[str]()
        for sample in samples:
            seen[sample.image_id] += 1
            if seen[sample.image_id] == rank:
                yield sample
        if max(seen.values(), default=0) <= rank:
            return
