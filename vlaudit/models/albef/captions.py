"""Caption cleaning of ALBEF's training, with the origin of every character.

Source: the official `pre_caption` (see `tests/goldens/albef/README.md`, traps 8 and 9, and the caption section of its
published layout); there is no [SEP]. Differs: a caption that the official code would truncate is refused.
"""

from __future__ import annotations

from functools import lru_cache

MOST_WORDS = 30
"""Longest cleaned caption in words; the official code cuts longer ones."""
_DROPPED = frozenset(",.'!?\"()*#:;~")


@lru_cache(maxsize=1024)
def clean(caption: str) -> tuple[str, tuple[int, ...]]:
    r"""Return the cleaned caption, and for each of its characters its index in the original.

    Lower case; punctuation deleted; hyphen and slash become spaces; `<person>` becomes `person`; runs of white space
    become one space, a lone tab or newline inside stays; ends stripped.

    >>> clean("A dog, running - on the BEACH!")[0]
    'a dog running on the beach'
    """
    characters = [(c, index) for c, index in _lowered(caption) if c not in _DROPPED]
    characters = [(" " if c in "-/" else c, index) for c, index in characters]
    characters = _collapse(_unbracket(characters))
    text = "".join(c for c, _ in characters)
    first = len(text.rstrip("\n")) - len(text.rstrip("\n").lstrip(" "))
    last = len(text.rstrip("\n").rstrip(" "))
    return text[first:last], tuple(index for _, index in characters[first:last])


def _lowered(caption: str) -> list[tuple[str, int]]:
    lowered = caption.lower()
    if len(lowered) == len(caption):
        return list(zip(lowered, range(len(caption)), strict=True))
    return [(lower, index) for index, character in enumerate(caption) for lower in character.lower()]


def _unbracket(characters: list[tuple[str, int]]) -> list[tuple[str, int]]:
    text = "".join(c for c, _ in characters)
    kept, position = [], 0
    while (found := text.find("<person>", position)) >= 0:
        kept += characters[position:found] + characters[found + 1 : found + 7]
        position = found + len("<person>")
    return kept + characters[position:]


def _collapse(characters: list[tuple[str, int]]) -> list[tuple[str, int]]:
    kept: list[tuple[str, int]] = []
    run: list[tuple[str, int]] = []
    for pair in [*characters, ("x", -1)]:
        if pair[0].isspace():
            run.append(pair)
            continue
        kept += run if len(run) < 2 else [(" ", run[0][1])]
        run = []
        kept.append(pair)
    return kept[:-1]
