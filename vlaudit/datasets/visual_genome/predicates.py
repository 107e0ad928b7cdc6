"""Predicates of Visual Genome in one spelling: `WEARING`, `wears` and `is wearing a` say the same."""

from __future__ import annotations

_BE = frozenset({"is", "are", "was", "were", "be", "been", "being", "am"})
_ARTICLES = frozenset({"a", "an", "the", "some"})
_FORMS = {
    "wearing": "wear wears wore worn",
    "holding": "hold holds held",
    "carrying": "carry carries carried",
    "riding": "ride rides rode ridden",
    "eating": "eat eats ate eaten",
    "playing": "play plays played",
    "using": "use uses used",
    "watching": "watch watches watched",
    "covering": "cover covers",
    "containing": "contain contains contained",
    "showing": "show shows shown",
    "standing": "stand stands stood",
    "sitting": "sit sits sat",
    "walking": "walk walks walked",
    "lying": "lie lies laying lays",
    "hanging": "hang hangs",
    "leaning": "lean leans",
    "resting": "rest rests rested",
    "looking": "look looks looked",
    "has": "have having had",
}
_FOLDED = {form: verb for verb, forms in _FORMS.items() for form in forms.split()}


def folded(predicate: str) -> str:
    """Return a predicate in lower case, its verb in one form, without "is" before it and an article behind it.

    Verbs go to their -ing form ("wears" is "wearing"), all forms of "have" to "has"; participles that say how a thing
    lies ("covered in", "parked on") and prepositions stay as they are, because "on" and "on top of" differ.

    >>> [folded(text) for text in ("ON", " wears ", "is  wearing a", "rests on", "on top of", "are")]
    ['on', 'wearing', 'wearing', 'resting on', 'on top of', 'are']
    """
    words = predicate.lower().split()
    while len(words) > 1 and words[0] in _BE:
        del words[0]
    while len(words) > 1 and words[-1] in _ARTICLES:
        del words[-1]
    return " ".join([_FOLDED.get(word, word) if i == 0 else word for i, word in enumerate(words)])
