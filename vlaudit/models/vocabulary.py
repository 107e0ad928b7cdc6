"""Find the vocabulary that a checkpoint was trained with, and tokenize captions.

It is searched next to the checkpoint, then at `--tokenizer`, then in the local Hugging Face cache, and downloaded only
with `--download`. The `tokenizers` library cuts words into pieces; special tokens around them are added by the family's
`CaptionPolicy`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vlaudit.errors import VocabularyError

_FILES = ("tokenizer.json", "vocab.txt")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_CAPITAL = re.compile("[A-Z]")


class Piece(NamedTuple):
    """One piece of a text: its id, and the characters `start` to `end` that it reads."""

    id: int
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The pieces that a model knows. `ids` maps a piece to its row, `size` is the number of rows needed."""

    source: str
    size: int
    ids: Mapping[str, int] = field(repr=False)
    _tokenizer: Any = field(repr=False)

    def __post_init__(self) -> None:
        lacking = [name for name in _SPECIAL if name not in self.ids]
        if lacking:
            raise VocabularyError(
                f"vocabulary {self.source}: it has no {', '.join(lacking)}; give the WordPiece vocabulary of the model"
            )

    def pieces(self, text: str) -> list[Piece]:
        """Cut a text into pieces, without special tokens.

        A special token spelled out in the text ("[MASK]") is read as ordinary characters.
        """
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        return [Piece(i, start, end) for i, (start, end) in zip(encoded.ids, encoded.offsets, strict=True)]

    @property
    def mask(self) -> int:
        """Id of [MASK]."""
        return self.ids["[MASK]"]

    @property
    def cls(self) -> int:
        """Id of [CLS]."""
        return self.ids["[CLS]"]

    @property
    def sep(self) -> int:
        """Id of [SEP]."""
        return self.ids["[SEP]"]

    @property
    def pad(self) -> int:
        """Id of [PAD]."""
        return self.ids["[PAD]"]


def find_vocabulary(
    checkpoint: Path | None,
    *,
    tokenizer: Any,
    published: str,
    rows: int,
    download: bool = False,
    unlisted: int = 0,
) -> Vocabulary:
    """Return the vocabulary of a checkpoint whose word table has `rows` rows.

    `tokenizer` is a folder, a name in the local Hugging Face cache, or a tokenizer object of `transformers` or
    `tokenizers`. `published` is the name of the vocabulary that the family was published with; `unlisted` is how many
    of the last rows it may leave out.
    Raises `VocabularyError`: none found (with the places searched and the remedy), unreadable, of another size, or one
    next to the checkpoint that differs from the one requested.
    """
    stored = _in_folder(checkpoint.parent) if checkpoint is not None else None
    requested = _requested(tokenizer, download=download) if tokenizer is not None else None
    if stored and requested and dict(stored.ids) != dict(requested.ids):
        given = f"--tokenizer {tokenizer}" if isinstance(tokenizer, str | Path) else requested.source
        raise VocabularyError(
            f"{given}: a different vocabulary is stored next to the checkpoint ({stored.source}), "
            "which takes precedence; drop the option or move the file away"
        )
    found = stored or requested or _named(published, download=download)
    if found is None:
        raise VocabularyError(_missing_message(checkpoint, published))
    if not rows - unlisted <= found.size <= rows:
        raise VocabularyError(
            f"vocabulary {found.source}: it has {found.size} entries, the checkpoint's word table has {rows} rows; "
            f"give the one it was trained with (published checkpoints of this family: {published})"
        )
    return found


def _missing_message(checkpoint: Path | None, published: str) -> str:
    near = f"next to {checkpoint} ({' or '.join(_FILES)}), " if checkpoint else ""
    return (
        f"no vocabulary was found: looked {near}in --tokenizer (not given) and in the local Hugging Face cache for "
        f"{published}. Put the vocab.txt of {published} next to the checkpoint, or name a folder that holds it with "
        "--tokenizer DIR, or allow one fetch from the Hugging Face hub with --download"
    )


def _requested(tokenizer: Any, *, download: bool) -> Vocabulary:
    if not isinstance(tokenizer, str | Path):
        return _from_object(tokenizer)
    folder = Path(tokenizer).expanduser()
    if folder.is_file():
        return _read(folder)
    if folder.is_dir():
        found = _in_folder(folder)
        if found is None:
            raise VocabularyError(f"--tokenizer {tokenizer}: the folder holds neither {' nor '.join(_FILES)}")
        return found
    named = _named(str(tokenizer), download=download)
    if named is None:
        raise VocabularyError(
            f"--tokenizer {tokenizer}: there is no such folder, and no tokenizer of that name in the local Hugging "
            "Face cache; give a folder that holds vocab.txt, or allow a fetch with --download"
        )
    return named


def _in_folder(folder: Path) -> Vocabulary | None:
    for name in _FILES:
        if (folder / name).is_file():
            return _read(folder / name)
    return None


def _named(name: str, *, download: bool) -> Vocabulary | None:
    """Look up a tokenizer by its hub name in the local cache, or on the hub where that is allowed."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache  # noqa: PLC0415 (slow, seldom needed)
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        for file in _FILES:
            cached = try_to_load_from_cache(name, file)
            if isinstance(cached, str):
                return _read(Path(cached))
        if not download:
            return None
        return _read(Path(hf_hub_download(name, "vocab.txt")))
    except HFValidationError:
        return None
    except OSError as error:
        raise VocabularyError(f"--download: {name} could not be fetched from the hub: {error}") from None


def _read(path: Path) -> Vocabulary:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VocabularyError(f"vocabulary {path}: it could not be read as text: {error}") from None
    return _from_json(path) if path.suffix == ".json" else _from_lines(path, text)


def _from_lines(path: Path, text: str) -> Vocabulary:
    """Read one piece per line. A repeated piece has the id of the later line, as in the official reader."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers  # noqa: PLC0415 (slow import)

    lines = text.split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    ids = {line.rstrip("\r"): row for row, line in enumerate(lines)}
    if "[UNK]" not in ids:
        raise VocabularyError(f"vocabulary {path}: no line reads [UNK]; a WordPiece vocabulary has one piece per line")
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106
    lowercase = _lowercase(path.parent / "tokenizer_config.json", ids)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return Vocabulary(str(path), len(lines), ids, tokenizer)


def _lowercase(settings: Path, pieces: Iterable[str]) -> bool:
    """Return whether words are converted to lower case.

    The default is yes, unless some piece has a capital (bert-base-cased), which would then never match.
    """
    if not settings.is_file():
        return not any(_CAPITAL.search(piece) for piece in pieces if not piece.startswith("["))
    try:
        return bool(json.loads(settings.read_text(encoding="utf-8")).get("do_lower_case", True))
    except (ValueError, AttributeError) as error:
        raise VocabularyError(f"vocabulary settings {settings}: not a JSON object: {error}") from None


def _from_json(path: Path) -> Vocabulary:
    from tokenizers import Tokenizer  # noqa: PLC0415 (slow import)

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 (the library raises bare Exception)
        raise VocabularyError(f"vocabulary {path}: not a tokenizer file: {error}") from None
    return _from_tokenizer(str(path), tokenizer)


def _from_object(given: Any) -> Vocabulary:
    """Read a copy of a `tokenizers.Tokenizer`, or of the one that a tokenizer of transformers holds or converts to."""
    from tokenizers import Tokenizer  # noqa: PLC0415 (slow import)

    source = f"tokenizer object {type(given).__name__}"
    inner = getattr(given, "backend_tokenizer", given)
    inner = inner if isinstance(inner, Tokenizer) else _converted(given)
    if inner is None:
        raise VocabularyError(
            f"{source}: it must be a tokenizer of tokenizers or transformers that can be saved as tokenizer.json; "
            "give its fast version, or a folder with its vocab.txt"
        )
    return _from_tokenizer(source, Tokenizer.from_str(inner.to_str()))


def _converted(slow: Any) -> Any:
    """Return the `tokenizers.Tokenizer` of a tokenizer in plain Python; None where transformers cannot convert it."""
    from transformers.convert_slow_tokenizer import convert_slow_tokenizer  # noqa: PLC0415 (slow import)

    try:
        return convert_slow_tokenizer(slow)
    except Exception:  # noqa: BLE001 (anything may have been given)
        return None


def _from_tokenizer(source: str, tokenizer: Any) -> Vocabulary:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = tokenizer.get_vocab(with_added_tokens=True)
    return Vocabulary(source, max(ids.values(), default=-1) + 1, ids, tokenizer)
