import json

import pytest

from vlaudit.errors import VocabularyError
from vlaudit.models.vocabulary import find_vocabulary

LINES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "dog", "##s", "run", "cafe"]


def write(folder, lines=LINES, name="vocab.txt"):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    """Replace this machine's cache by an empty one."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "cache"), raising=False)


ROWS = len(LINES)


def find(checkpoint=None, tokenizer=None, rows=ROWS, download=False):
    return find_vocabulary(checkpoint, tokenizer=tokenizer, published="bert-base-uncased", rows=rows, download=download)


def test_it_is_found_next_to_the_checkpoint(tmp_path):
    vocabulary = find(write(tmp_path / "weights") / "model.pth")
    assert vocabulary.ids["dog"] == 5
    assert (vocabulary.pad, vocabulary.cls, vocabulary.sep, vocabulary.mask) == (0, 2, 3, 4)


def test_pieces_state_the_characters_that_they_read(tmp_path):
    vocabulary = find(write(tmp_path) / "model.pth")
    assert [tuple(piece) for piece in vocabulary.pieces("Dogs run CAFÉ xyz")] == [
        (5, 0, 3),
        (6, 3, 4),
        (7, 5, 8),
        (8, 9, 13),
        (1, 14, 17),
    ]


def test_a_special_token_in_the_text_is_text(tmp_path):
    vocabulary = find(write(tmp_path) / "model.pth")
    assert vocabulary.mask not in [piece.id for piece in vocabulary.pieces("[MASK] dog")]


def test_a_repeated_piece_has_the_later_row(tmp_path):
    vocabulary = find(write(tmp_path, [*LINES, "dog"]) / "model.pth", rows=len(LINES) + 1)
    assert vocabulary.ids["dog"] == len(LINES)
    assert vocabulary.pieces("dog")[0].id == len(LINES)
    assert vocabulary.size == len(LINES) + 1


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_line_ends_do_not_matter(tmp_path, ending):
    (tmp_path / "vocab.txt").write_bytes((ending or "\n").join(LINES).encode() + ending.encode())
    assert find(tmp_path / "model.pth").ids["cafe"] == len(LINES) - 1


def test_cased_settings_keep_the_case(tmp_path):
    (write(tmp_path) / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    assert find(tmp_path / "model.pth").pieces("DOG")[0].id == 1


def test_capitals_among_the_pieces_keep_the_case(tmp_path):
    """The pieces of a bare vocab.txt show whether a model is cased; special pieces do not count."""
    vocabulary = find(write(tmp_path, [*LINES, "Dog"]) / "model.pth", rows=len(LINES) + 1)
    assert [piece.id for piece in vocabulary.pieces("Dog dog DOG")] == [len(LINES), LINES.index("dog"), 1]
    lower = find(write(tmp_path / "lower", [*LINES, "[unusedA]"]) / "model.pth", rows=len(LINES) + 1)
    assert [piece.id for piece in lower.pieces("Dog")] == [LINES.index("dog")]


def test_a_tokenizer_file_determines_the_pieces(tmp_path):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece(dict(zip(LINES, range(99), strict=False)), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(2)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert [piece.id for piece in find(tmp_path / "model.pth").pieces("dogs run")] == [5, 6, 7]


def test_it_is_found_at_the_option(tmp_path):
    folder = write(tmp_path / "words")
    for where in (folder, folder / "vocab.txt"):
        assert find(tmp_path / "model.pth", str(where)).ids["run"] == 7


def test_an_option_that_would_be_ignored_is_refused(tmp_path):
    write(tmp_path)
    other = write(tmp_path / "other", [*LINES[:-1], "tree"])
    with pytest.raises(VocabularyError, match="a different vocabulary is stored next to the checkpoint"):
        find(tmp_path / "model.pth", str(other))
    same = write(tmp_path / "same")
    assert find(tmp_path / "model.pth", str(same)).source == str(tmp_path / "vocab.txt")


def test_it_is_found_in_the_cache_by_its_published_name(tmp_path, monkeypatch):
    cached = write(tmp_path / "snapshot") / "vocab.txt"
    found = {("bert-base-uncased", "vocab.txt"): str(cached)}
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, file: found.get((name, file)))
    assert find(tmp_path / "model.pth").source == str(cached)


def test_nothing_is_fetched_unless_requested(tmp_path, monkeypatch):
    requested = []
    cached = write(tmp_path / "fetched") / "vocab.txt"
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *name: requested.append(name) or str(cached))
    with pytest.raises(VocabularyError, match="--download"):
        find(tmp_path / "model.pth")
    assert not requested
    assert find(tmp_path / "model.pth", download=True).ids["dog"] == 5
    assert requested == [("bert-base-uncased", "vocab.txt")]


def test_a_missing_vocabulary_is_an_error_with_the_remedy(tmp_path):
    with pytest.raises(VocabularyError) as raised:
        find(tmp_path / "model.pth")
    for hint in (str(tmp_path), "vocab.txt of bert-base-uncased", "--tokenizer DIR", "--download"):
        assert hint in str(raised.value)


@pytest.mark.parametrize(
    ("tokenizer", "message"), [("nowhere/at/all", "no such folder"), ("empty", "neither tokenizer.json nor vocab.txt")]
)
def test_a_wrong_option_is_named(tmp_path, monkeypatch, tokenizer, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(VocabularyError, match=f"--tokenizer {tokenizer}: .*{message}"):
        find(tmp_path / "model.pth", tokenizer)


def test_one_of_another_size_is_refused(tmp_path):
    with pytest.raises(VocabularyError, match="9 entries, the checkpoint's word table has 30522 rows"):
        find(write(tmp_path) / "model.pth", rows=30522)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.txt", b"just\nwords\n", r"no line reads \[UNK\]"),
        ("vocab.txt", b"[UNK]\nwords\n", r"it has no \[PAD\], \[CLS\], \[SEP\], \[MASK\]"),
        ("vocab.txt", b"\xff\xfe\x00", "could not be read as text"),
        ("tokenizer.json", b"{}", "not a tokenizer file"),
        ("tokenizer.json", b"no json", "not a tokenizer file"),
    ],
)
def test_a_damaged_one_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VocabularyError, match=message):
        find(tmp_path / "model.pth")


def test_a_failed_fetch_is_one_message(tmp_path, monkeypatch):
    def fail(*_name):
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(VocabularyError, match="bert-base-uncased could not be fetched from the hub: no network"):
        find(tmp_path / "model.pth", download=True)
