"""Text-only accuracy of scene captions."""

import json
import subprocess
import sys

import pytest

from vlaudit.datasets.scenes import floors, words
from vlaudit.datasets.scenes.text import Caption, Piece, Word, plain
from vlaudit.errors import UsageError

MEASURE = """
import json
from collections import Counter
from vlaudit.datasets.scenes import candidates, floors, words
measured = {kind: floors.caption_floor(kind, train=3000, test=1500) for kind in words.CANDIDATES}
asked = floors._questions(0, 0, 3000)
print(json.dumps({
    "floors": measured,
    "answers": {kind: Counter(answer for _, answer in found) for kind, found in asked.items()},
    "words": sorted({word for found in asked.values() for text, answer in found for word in (*text.split(), answer)}),
}))
"""


@pytest.fixture(scope="module")
def measured():
    """Measured in a process of its own, where arrays are not checked: thousands of captions are slow with it."""
    run = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize("kind", words.CANDIDATES)
def test_text_only_accuracy_is_near_chance(kind, measured):
    """The margin is about three standard errors of the rarest kind."""
    floor = floors.Floor(*measured["floors"][kind])
    assert floor.asked > 150
    assert floor.chance == 1 / len(words.candidates(kind))
    assert floor.accuracy < floor.chance + 0.1


@pytest.mark.parametrize("kind", words.CANDIDATES)
def test_no_answer_is_much_more_frequent_than_another(kind, measured):
    counts = measured["answers"][kind]
    share = sum(counts.values()) / len(counts)
    assert set(counts) == set(words.candidates(kind))
    assert max(counts.values()) < 1.5 * share
    assert min(counts.values()) > 0.6 * share


def test_the_grammar_uses_its_whole_vocabulary(measured):
    of_hints = {word for hint in (*words.HINTS.values(), words.COPY_HINT) for word in hint.split()}
    assert 150 <= len(words.vocabulary()) <= 250
    assert set(words.vocabulary()) - set(measured["words"]) - of_hints == {"head"}  # a label of regions only


def test_text_only_accuracy_detects_a_leak(monkeypatch):
    """The preposition of these captions determines the place."""

    def leaky(scene):
        told = "on" if scene.scenery == "beach" else f"in{scene.scenery}"
        place = Piece((Word("the"), Word(scene.scenery, "scenery", ("scenery",))), "scene", ("scenery",))
        return Caption(((plain(f"a man waits {told}"), place),))

    monkeypatch.setattr(floors, "describe", leaky)
    floors._questions.cache_clear()
    try:
        assert floors.caption_floor("scenery", train=120, test=60).accuracy > 0.95
    finally:
        floors._questions.cache_clear()


def test_an_unknown_kind_or_too_few_captions_are_errors():
    with pytest.raises(UsageError, match="kind must be one of color"):
        floors.caption_floor("weather")
    with pytest.raises(UsageError, match="large enough to contain vehicle slots"):
        floors.caption_floor("vehicle", train=2, test=1)
