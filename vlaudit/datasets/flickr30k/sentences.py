"""Sentences of Flickr30k Entities: a caption as tokens with marked phrases, read into text with exact spans."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlaudit.samples import PHRASE_TYPES, Phrase, words_of

NOT_VISUAL = "0"
"""The chain of everything that no picture shows ("there", "each other"): it is not one thing, and has no box."""

_PHRASE = re.compile(r"\[/EN#(?P<chain>[^/\s\[\]]+)/(?P<types>[^\s\[\]]+)(?P<words>[^\[\]]*)\]")
_TYPES = {*PHRASE_TYPES, "notvisual"}


class Malformed(Exception):  # noqa: N818 - becomes a refusal, nobody sees it as an error
    """A record that gives no sample; the text is the reason of the refusal."""


@dataclass(frozen=True)
class Sentence:
    """A caption and what its words name: `id` of a phrase is its chain, `type` the first of its types."""

    text: str
    phrases: tuple[Phrase, ...]


def parse(line: str) -> Sentence:
    """Read a line: tokens with single spaces between, phrases as `[/EN#<chain>/<type>[/<type>...] <words>]`.

    The text is the tokens as they stand, a space before the full stop included, as the official readers give it. Of
    several types the first counts. Chain 0 gives phrases of type "notvisual". Raises `Malformed` with the reason.

    >>> found = parse("[/EN#7/people Two men] on [/EN#9/scene/other a bridge] .")
    >>> found.text, [(phrase.id, phrase.type, found.text[phrase.start : phrase.end]) for phrase in found.phrases]
    ('Two men on a bridge .', [('7', 'people', 'Two men'), ('9', 'scene', 'a bridge')])
    """
    text, phrases, end = "", [], 0
    for found in _PHRASE.finditer(line):
        text = _joined(text, line[end : found.start()])
        words = " ".join(found["words"].split())
        start = len(text) + bool(text)
        text = _joined(text, words)
        phrases.append(_phrase(found, start, words))
        end = found.end()
    text = _joined(text, line[end:])
    if "[" in text or "]" in text:
        raise Malformed("a bracket opens or closes no phrase of the form [/EN#chain/type words]")
    if not words_of(text):
        raise Malformed(f"the caption holds no word: {text!r}")
    return Sentence(text, tuple(phrases))


def _joined(text: str, more: str) -> str:
    return " ".join([*filter(None, [text]), *more.split()])


def _phrase(found: re.Match[str], start: int, words: str) -> Phrase:
    kind = found["types"].split("/")[0]
    if not words:
        raise Malformed(f"the phrase {found[0]!r} has no words")
    if kind not in _TYPES:
        raise Malformed(f"the phrase {found[0]!r} has the type {kind!r}; types are {', '.join(sorted(_TYPES))}")
    return Phrase(found["chain"], start, start + len(words), kind)
