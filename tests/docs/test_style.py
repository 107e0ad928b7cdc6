"""Cheap rules of the house style (CONTRIBUTING.md): first words of docstrings, and words that are not used."""

import ast
import itertools
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

CHECKED = (
    "vlaudit",
    "audits",
    "fixtures",
    "benchmarks",
    "tests",
    "docs",
    "conftest.py",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
"""Files and folders that follow the style."""

NOT_CHECKED = (
    "tests/docs/test_style.py",  # quotes the words
    "tests/goldens",  # outputs of official code, with their records
)
"""Files and folders in these that are not checked."""

FIRST_WORDS = re.compile(r"(What|Where|How|Whether|Whatever|Which|Who|Whose|Why|Say|Give)\b")
"""First words that a docstring must not have."""

DIALECT = (
    r"nobody",
    r"somebody",
    r"whoever",
    r"whatever",
    r"beside(?!s)",
    r"besides",
    r"of which",
    r"comes to",
    r"told apart",
    r"\btells?\b",
    r"\btold\b",
    r"\bask(s|ed)? for\b",
    r"\bstands? (for|by|in)\b",
    r"\b(a|one) (unit|row|image|sample|head|layer|criterion) each\b",
    r"where it is there",
    r"as it is\b",
    r"as it stands",
    r"makes? no sense",
    r"canary",
    r"specimen",
    r"skeleton\(",
    r"\bmemo\b",
    r"\b(is|are) said\b",
    r"\bis there (once|twice)\b",
    r"\basked of\b",
    r"\bas it was\b",
    r"\bhands? out\b",
    r"\bheld against\b",
    r"\bnought\b",
    r"\bsecond answer\b",
    r"\bturned round\b",
    r"\b(tokens|pieces|components|arrays|pixels|rows|passes) a (side|caption|line|head|unit|image|sample|second)\b",
)
"""Words and phrases that are not used, as regular expressions."""

USED = re.compile("|".join(DIALECT), re.IGNORECASE)

ALLOWED = (
    "memo ind",  # indices of the memo of a pickle
    "check memo",
    "a memo that was never filled",
    "something someone somebody",  # a list of words of captions
    "Whether or\n  Whatever",  # the rule itself
)
"""Phrases in which they are."""


def files():
    for entry in CHECKED:
        path = ROOT / entry
        found = [path] if path.is_file() else [*sorted(path.rglob("*.py")), *sorted(path.rglob("*.md"))]
        yield from (one for one in found if not str(one.relative_to(ROOT)).startswith(NOT_CHECKED))


def docstrings(tree):
    """Yield the docstrings of a module, its classes, functions and constants, with their names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield getattr(node, "name", "module"), ast.get_docstring(node) or ""
            for before, after in itertools.pairwise(node.body):
                if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
                    yield ast.unparse(before).partition("=")[0].strip(), str(getattr(after.value, "value", ""))


def prose(path):
    """Return the docstrings, comments and messages of a Python file, or the whole text of a Markdown file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    tree = ast.parse(text)
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    comments = re.findall(r"#\s.*", text)
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    sentences = [one for one in strings if " " in one]
    return "\n".join([*sentences, *comments, *(name.replace("_", " ") for name in names)])


def test_docstrings_start_with_a_verb_or_a_noun():
    found = [
        f"{path.relative_to(ROOT)}, {name}: {text[:60]}"
        for path in files()
        if path.suffix == ".py"
        for name, text in docstrings(ast.parse(path.read_text(encoding="utf-8")))
        if FIRST_WORDS.match(text)
    ]
    assert not found


def dialect(text):
    """Return the places of a text that use the dialect."""
    for phrase in ALLOWED:
        text = text.replace(phrase, "")
    return [text[max(found.start() - 40, 0) : found.end() + 20] for found in USED.finditer(text)]


def test_words_of_the_dialect_are_not_used():
    found = [f"{path.relative_to(ROOT)}: {place!r}" for path in files() for place in dialect(prose(path))]
    assert not found


def test_the_rules_find_what_they_forbid():
    bad = 'X = 1\n"""What X is."""\n\n\ndef f():\n    """How f works."""\n'
    assert {name for name, text in docstrings(ast.parse(bad)) if FIRST_WORDS.match(text)} == {"f", "X"}
    sentences = ("nobody knows it", "a sample beside another", "the canary pass", "each unit tells its own")
    assert all(map(dialect, sentences))
