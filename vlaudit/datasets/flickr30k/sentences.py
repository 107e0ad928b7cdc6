"""Parsing of Flickr30k Entities sentences: tokens with marked phrases, converted to text with exact spans."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlaudit.samples import PHRASE_TYPES, Phrase, words_of

NOT_VISUAL = "0"
"""Coreference chain of all phrases that refer to nothing visible ("there", "each other"); it has no box."""

_PHRASE = re.compile(r"\[/EN#(?P<chain>[^/\s\[\]]+)/(?P<types>[^\s\[\]]+)(?P<words>[^\[\]]*)\]")
_TYPES = {*PHRASE_TYPES, "notvisual"}


class Malformed(Exception):  # noqa: N818 - becomes a refusal, never an error
    """A record is invalid; the message is the reason of the refusal."""


@dataclass(frozen=True)
class Sentence:
    """A caption with its phrases: the `id` of a phrase is its coreference chain, `type` the first of its types."""

    text: str
    phrases: tuple[Phrase, ...]


def parse(line: str) -> Sentence:
    """Parse a line: tokens separated by spaces, phrases as `[/EN#<chain>/<type>[/<type>...] <words>]`.

    The text is the tokens joined by single spaces, including one before punctuation, as in the official readers. Of
    several types the first is used. Phrases of chain 0 have the type "notvisual". Raises `Malformed` with the reason.

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
        raise Malformed("unmatched bracket; a phrase must have the form [/EN#chain/type words]")
    if not words_of(text):
        raise Malformed(f"the caption contains no word: {text!r}")
    return Sentence(text, tuple(phrases))


def _joined(text: str, more: str) -> str:
    return " ".join([*filter(None, [text]), *more.split()])


def _phrase(found: re.Match[str], start: int, words: str) -> Phrase:
    kind = found["types"].split("/")[0]
    if not words:
        raise Malformed(f"the phrase {found[0]!r} has no words")
    if kind not in _TYPES:
        raise Malformed(f"the phrase {found[0]!r} has the type {kind!r}; valid types are {', '.join(sorted(_TYPES))}")
    return Phrase(found["chain"], start, start + len(words), kind)
