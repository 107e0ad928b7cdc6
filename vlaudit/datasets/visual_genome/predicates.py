"""Normalization of Visual Genome predicates: `WEARING`, `wears` and `is wearing a` are the same relation."""

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
_NORMAL_FORM = {form: verb for verb, forms in _FORMS.items() for form in forms.split()}


def normalize_predicate(predicate: str) -> str:
    """Return a predicate in lower case, with a normalized verb, without a leading "is" and a trailing article.

    Verbs are converted to the -ing form ("wears" to "wearing"), and forms of "have" to "has". Participles that describe
    a state ("covered in", "parked on") and prepositions are unchanged, because "on" and "on top of" differ.

    >>> [normalize_predicate(text) for text in ("ON", " wears ", "is  wearing a", "rests on", "on top of", "are")]
    ['on', 'wearing', 'wearing', 'resting on', 'on top of', 'are']
    """
    words = predicate.lower().split()
    while len(words) > 1 and words[0] in _BE:
        del words[0]
    while len(words) > 1 and words[-1] in _ARTICLES:
        del words[-1]
    return " ".join([_NORMAL_FORM.get(word, word) if i == 0 else word for i, word in enumerate(words)])
