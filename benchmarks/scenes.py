"""Speed of drawing scenes, and statistics of their captions: `python -m benchmarks.scenes`.

Processor time of one process, after a warm-up that draws every sprite and place once.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable

from vlaudit.datasets.scenes import Scenes, batch, compose, describe, sample, vocabulary, words
from vlaudit.datasets.scenes.floors import caption_floor

WARM_UP = 4000
AIM = 1000
"""Aim: scenes per second, including drawing and building the sample."""


def main() -> None:
    """Print speed, sizes and floors."""
    parser = argparse.ArgumentParser(description="Speed and statistics of the scene world.")
    parser.add_argument("--count", type=int, default=2000, help="scenes to time (default: 2000)")
    parser.add_argument("--floors", action="store_true", help="also fit the caption-only floors (a minute)")
    options = parser.parse_args()
    _speed(options.count)
    _sizes(options.count)
    if options.floors:
        _floors()


def _speed(count: int) -> None:
    cold = _per_second(lambda: _draw(0, WARM_UP), WARM_UP)
    print(f"first {WARM_UP} samples with pixels, including drawing the sprites: {cold:.0f}/s")
    print(f"samples with pixels (aim {AIM}): {_per_second(lambda: _draw(1, count), count):.0f}/s")
    print(f"pixels only: {_per_second(lambda: batch(2, 0, count), count):.0f}/s")


def _draw(seed: int, count: int) -> None:
    for index in range(count):
        drawn = sample(seed, index)
        if drawn.image is not None:
            drawn.image.pixels()


def _per_second(run: Callable[[], object], count: int) -> float:
    start = time.process_time()
    run()
    return count / (time.process_time() - start)


def _sizes(count: int) -> None:
    lengths = [describe(compose(3, index)).length for index in range(count)]
    types, relations, slots = Counter[str](), Counter[str](), Counter[str]()
    for drawn in Scenes(3, count):
        types.update({phrase.type for phrase in drawn.phrases})
        relations.update({relation.predicate for relation in drawn.relations})
        slots.update({slot.kind for slot in drawn.slots})
    print(f"words of the grammar, hints included: {len(vocabulary())}")
    print(f"words per caption: {min(lengths)} to {max(lengths)}, {sum(lengths) / count:.1f} on average")
    print(f"captions with a phrase of each type, of {count}: {_ordered(types)}")
    print(f"scenes with each relation, of {count}: {_ordered(relations)}")
    print(f"captions with a slot of each kind, of {count}: {_ordered(slots)}")


def _ordered(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common())


def _floors() -> None:
    print(f"{'kind':<15}{'answers':>8}{'chance':>8}{'floor':>8}{'slots':>8}")
    for kind, answers in words.CANDIDATES.items():
        floor = caption_floor(kind)
        print(f"{kind:<15}{len(answers):>8}{floor.chance:>8.3f}{floor.accuracy:>8.3f}{floor.asked:>8}")


if __name__ == "__main__":
    main()
