"""COCO captions: samples, refusals and errors, on folders with the irregularities of real ones."""

import json
import pickle
import shutil
import tomllib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from vlaudit import datasets
from vlaudit.datasets import Refusal
from vlaudit.datasets.coco import CocoCaptions
from vlaudit.errors import DataError, RefusedSample, UsageError

DATA = Path(__file__).parents[3] / "shared" / "data"


def write(folder, images, annotations, file="annotations/captions_val2017.json", **more):
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"info": {}, "images": images, "annotations": annotations, **more}), encoding="utf-8")


def draw(folder, name, size=(20, 12), shade=100):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", size, (shade, 50, 200)).save(path)
    return {"id": int("".join(filter(str.isdigit, path.stem))[-12:]), "file_name": path.name}


def caption(number, image_id, text="A red bus next to a dog."):
    return {"id": number, "image_id": image_id, "caption": text}


@pytest.fixture
def folder(tmp_path):
    """Two photos with three captions, as a user unpacks them."""
    first = draw(tmp_path, "val2017/000000000007.jpg")
    second = draw(tmp_path, "val2017/000000000009.jpg", shade=10)
    written = [caption(3, 9, " Two dogs.\n"), caption(1, 7), caption(2, 9, "A cat sits\n on the  left")]
    write(tmp_path, [first, second], written)
    return tmp_path


def test_each_caption_is_a_sample_grouped_by_image(folder):
    samples = list(datasets.open(f"coco:{folder}"))
    assert [sample.id for sample in samples] == ["coco-9-3", "coco-9-2", "coco-7-1"]
    assert [sample.image_id for sample in samples] == ["coco-9", "coco-9", "coco-7"]
    assert [sample.caption for sample in samples[:2]] == ["Two dogs.", "A cat sits on the left"]
    assert [(slot.kind, samples[1].text(slot)) for slot in samples[1].slots] == [
        ("animal", "cat"),
        ("position side", "left"),
    ]
    assert samples[0].image.pixels().shape == (12, 20, 3)
    assert samples[0].regions == ()


def test_a_hint_is_another_caption_without_the_word(folder):
    """A hint contains no form of the word; a copy hint contains the word."""
    write(
        folder,
        [{"id": 7, "file_name": "000000000007.jpg"}],
        [
            caption(1, 7, "A woman runs."),
            caption(2, 7, "Two women run."),
            caption(3, 7, "A woman sings."),
            caption(4, 7, "She sings."),
        ],
    )
    first, second, *_ = list(datasets.open(f"coco:{folder}"))
    woman = first.slots[0]
    assert first.world.hints(first, woman) == ["She sings."]
    assert first.world.hint(first, woman) == "She sings."
    assert first.world.copy_hint(first, woman) == "A woman sings."
    assert second.world.copy_hint(second, second.slots[0]) is None


@pytest.mark.parametrize(
    "place",
    [
        "000000000007.jpg",
        "images/000000000007.jpg",
        "val2017/000000000007.jpg",
        "train2014/COCO_train2014_000000000007.jpg",
    ],
)
@pytest.mark.parametrize("file", ["captions_val2017.json", "annotations/captions_train2014.json"])
def test_files_are_found_in_the_usual_folders(tmp_path, place, file):
    draw(tmp_path, place)
    write(tmp_path, [{"id": 7, "file_name": "000000000007.jpg"}], [caption(1, 7)], file)
    assert len(list(datasets.open(f"coco:{tmp_path}"))) == 1


def test_files_can_be_specified_relative_to_the_folder(tmp_path):
    draw(tmp_path, "my photos, 2/deep/000000000007.jpg")
    write(tmp_path, [{"id": 7, "file_name": "deep/000000000007.jpg"}], [caption(1, 7)], "mine.json")
    spec = f"coco:{tmp_path},captions=mine.json,images=my photos, 2"
    assert [sample.id for sample in datasets.open(spec)] == ["coco-7-1"]


def refusals_of(folder, **options):
    dataset = CocoCaptions(folder, **options)
    samples = list(dataset)
    return samples, dataset.refusals


def test_captions_of_a_missing_image_are_refused(folder):
    (folder / "val2017/000000000009.jpg").unlink()
    samples, refusals = refusals_of(folder)
    assert [sample.id for sample in samples] == ["coco-7-1"]
    assert refusals == [
        Refusal("000000000009.jpg", "caption 3 of image 9", "the file does not exist"),
        Refusal("000000000009.jpg", "caption 2 of image 9", "the file does not exist"),
    ]


def test_captions_of_an_unreadable_image_are_refused(folder):
    (folder / "val2017/000000000007.jpg").write_bytes(b"not an image")
    samples, refusals = refusals_of(folder)
    assert len(samples) == 2
    reason = "not an image in a supported format (JPEG, PNG, WEBP, BMP, GIF, TIFF, PPM)"
    assert refusals == [Refusal("000000000007.jpg", "caption 1 of image 7", reason)]


def test_a_truncated_image_is_refused_when_its_pixels_are_read(folder):
    """Opening a JPEG reads its header only."""
    path = folder / "val2017/000000000007.jpg"
    Pillow.effect_noise((64, 64), 90).save(path)
    path.write_bytes(path.read_bytes()[:600])
    samples, refusals = refusals_of(folder)
    assert refusals == []
    with pytest.raises(RefusedSample, match=r"coco-7: 000000000007\.jpg: cannot be decoded: "):
        samples[-1].image.pixels()


def test_rotated_photos_are_upright(folder):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.new("RGB", (20, 12)).save(folder / "val2017/000000000007.jpg", exif=exif)
    samples, _ = refusals_of(folder)
    assert (samples[-1].image.width, samples[-1].image.height) == (12, 20)
    assert samples[-1].image.pixels().shape == (20, 12, 3)


def test_animated_images_are_refused(folder):
    frames = [Pillow.new("L", (8, 8), shade) for shade in (0, 255)]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    (folder / "a.gif").rename(folder / "val2017/000000000007.jpg")
    assert refusals_of(folder)[1][0].reason == "animated or multi-page image (2 frames)"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../secret.jpg", "the path is outside the image folder"),
        ("/etc/hostname", "the path is outside the image folder"),
        ("..\\secret.jpg", "the path is outside the image folder"),
        ("link.jpg", "the path is a link out of the image folder"),
    ],
)
def test_a_path_outside_the_folder_is_refused(folder, name, reason):
    """Existing files outside the folder are refused, also through links."""
    Pillow.new("RGB", (4, 4)).save(folder / "secret.jpg")
    (folder / "val2017/link.jpg").symlink_to(folder / "secret.jpg")
    images = [{"id": 7, "file_name": name}, {"id": 9, "file_name": "000000000009.jpg"}]
    write(folder, images, [caption(1, 7), caption(2, 9)])
    samples, refusals = refusals_of(folder)
    assert [sample.id for sample in samples] == ["coco-9-2"]
    assert [one.file for one in refusals] == [name]
    assert refusals[0].reason == reason


def test_unknown_empty_and_duplicate_records_are_refused(folder):
    images = [
        {"id": 7, "file_name": "000000000007.jpg"},
        {"id": 7, "file_name": "000000000007.jpg"},
        {"id": 9, "file_name": "000000000009.jpg"},
        {"id": 9, "file_name": "other.jpg"},
    ]
    written = [
        caption(1, 7),
        caption(1, 7, "Again."),
        caption(2, 8),
        caption(3, 7, " \n "),
        caption(4, 7, "..."),
        caption(5, 9),
    ]
    write(folder, images, written)
    samples, refusals = refusals_of(folder)
    assert [sample.id for sample in samples] == ["coco-7-1"]
    file = "captions_val2017.json"
    assert set(refusals) == {
        Refusal(file, "image 7", "duplicate id; the first record is kept"),
        Refusal(file, "image 9", "the id names 2 different files"),
        Refusal(file, "caption 1", "duplicate id; the first record is kept"),
        Refusal(file, "caption 2", "unknown image_id 8"),
        Refusal(file, "caption 3", r"the caption contains no word: ' \n '"),
        Refusal(file, "caption 4", "the caption contains no word: '...'"),
        Refusal(file, "caption 5", "unknown image_id 9"),
    }
    assert len(refusals) == 8


@pytest.mark.parametrize(
    "record, reason",
    [
        ("text", "the record must be an object, got a string"),
        ({"id": 1, "image_id": 7}, "missing key 'caption'"),
        ({"id": 1, "image_id": 7, "caption": None}, "'caption' must be a string, got null"),
        ({"id": [1], "image_id": 7, "caption": "a"}, "'id' must be an integer or a string, got a list"),
        ({"id": True, "image_id": 7, "caption": "a"}, "'id' must be an integer or a string, got a boolean"),
        ({"id": 1, "image_id": 7.5, "caption": "a"}, "'image_id' must be an integer or a string, got a number"),
    ],
)
def test_a_malformed_record_is_refused_with_its_location(folder, record, reason):
    write(folder, [{"id": 7, "file_name": "000000000007.jpg"}], [record, caption(2, 7)])
    samples, refusals = refusals_of(folder)
    assert [sample.id for sample in samples] == ["coco-7-2"]
    assert refusals == [Refusal("captions_val2017.json", "annotations[0]", reason)]


def test_every_iteration_yields_equal_samples_and_refuses_once(folder):
    (folder / "val2017/000000000009.jpg").unlink()
    dataset = CocoCaptions(folder)
    assert (
        dataset.describe()
        == "COCO captions, captions_val2017.json: 0 captions of 0 images, 0 records refused, no boxes"
    )
    first = list(dataset)
    assert list(dataset) == first
    assert len(dataset.refusals) == 2
    assert (
        dataset.describe()
        == "COCO captions, captions_val2017.json: 1 captions of 1 images, 2 records refused, no boxes"
    )


def test_a_limit_opens_no_further_images(folder):
    (folder / "val2017/000000000007.jpg").unlink()
    dataset = CocoCaptions(folder)
    assert len(list(islice(dataset, 2))) == 2
    assert dataset.refusals == []


def test_samples_can_be_pickled(folder):
    sample = next(iter(CocoCaptions(folder)))
    sent = pickle.loads(pickle.dumps(sample))  # noqa: S301 - we wrote it the moment before
    assert sent == sample
    np.testing.assert_array_equal(sent.image.pixels(), sample.image.pixels())
    assert sent.world == sample.world


def instances(folder, boxes, **image):
    write(
        folder,
        [{"id": 7, "file_name": "000000000007.jpg", **image}],
        [caption(1, 7, "A red bus and a dog."), caption(2, 7, "Two dogs by a bus.")],
    )
    annotations = [
        {"id": index + 10, "image_id": 7, "category_id": category, "bbox": box}
        for index, (category, box) in enumerate(boxes)
    ]
    categories = [{"id": 6, "name": "bus"}, {"id": 18, "name": "dog"}]
    write(folder, [], annotations, "annotations/instances_val2017.json", categories=categories)
    return refusals_of(folder)


def test_words_are_linked_to_boxes_of_instances(folder):
    """A noun is linked by category, a colour through the noun that follows; boxes are clipped to the image."""
    samples, refusals = instances(folder, [(6, [1, 2, 5, 4]), (18, [8, 2, 50, 50]), (18, [1.5, 1, 2, 2])])
    assert refusals == []
    assert [(region.label, tuple(region.box)) for region in samples[0].regions] == [
        ("bus", (1, 2, 6, 6)),
        ("dog", (8, 2, 20, 12)),
        ("dog", (1.5, 1, 3.5, 3)),
    ]
    assert {samples[0].text(slot): slot.region_ids for slot in samples[0].slots} == {
        "red": ("10",),
        "bus": ("10",),
        "dog": ("11", "12"),
    }
    assert samples[1].slots[0].region_ids == ("11", "12")


def test_the_colour_of_two_equal_nouns_is_not_linked(folder):
    samples, _ = instances(folder, [(6, [1, 2, 5, 4]), (6, [9, 2, 5, 4])])
    assert {samples[0].text(slot): len(slot.region_ids) for slot in samples[0].slots} == {"red": 0, "bus": 2, "dog": 0}


@pytest.mark.parametrize(
    "box, reason",
    [
        ((6, [30, 2, 5, 4]), "the box is outside the image of 20 x 12 pixels"),
        ((6, [1, 2, 0, 4]), "'bbox' must be left, top, width, height with an area, got [1, 2, 0, 4]"),
        ((6, [1, 2, 3]), "'bbox' must be left, top, width, height with an area, got [1, 2, 3]"),
        ((6, [1, 2, 10**400, 4]), "'bbox' must be left, top, width, height with an area, got [1, 2, 1000"),
        ((7, [1, 2, 5, 4]), "unknown category_id 7"),
    ],
)
def test_an_invalid_box_is_refused(folder, box, reason):
    samples, refusals = instances(folder, [box, (6, [1, 2, 5, 4])])
    dataset = CocoCaptions(folder)
    assert list(dataset) == list(dataset) == samples
    assert dataset.refusals == refusals
    assert [region.id for region in samples[0].regions] == ["11"]
    assert [(one.file, one.where) for one in refusals] == [("instances_val2017.json", "box 10")]
    assert refusals[0].reason.startswith(reason)


def test_boxes_annotated_for_another_size_are_refused(folder):
    samples, refusals = instances(folder, [(6, [1, 2, 5, 4])], width=12, height=20)
    assert [len(sample.regions) for sample in samples] == [0, 0]
    assert [str(one) for one in refusals] == [
        "instances_val2017.json: boxes of image 7: annotated for 12 x 20 pixels, but the image has 20 x 12"
    ]


def broken(folder, text, encoding="utf-8"):
    (folder / "annotations/captions_val2017.json").write_bytes(text.encode(encoding))


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", r"captions_val2017\.json: must be valid JSON: Expecting property name"),
        ("[" * 100_000, r"captions_val2017\.json: must be valid JSON"),
        ("[]", r"must contain a JSON object with images and annotations, got a list"),
        ("{}", r"must contain a list under the key 'images', but there is no 'images'"),
        ('{"images": {}}', r"must contain a list under the key 'images', but 'images' is an object"),
        ('{"images": []}', r"must contain a list under the key 'annotations', but there is no 'annotations'"),
    ],
)
def test_invalid_json_is_an_error(folder, text, message):
    broken(folder, text)
    with pytest.raises(DataError, match=message):
        datasets.open(f"coco:{folder}")


def test_json_in_another_encoding_is_an_error(folder):
    """A byte order mark is accepted, UTF-16 is not."""
    text = (folder / "annotations/captions_val2017.json").read_text()
    broken(folder, text, "utf-8-sig")
    assert len(list(CocoCaptions(folder))) == 3
    broken(folder, text, "utf-16")
    with pytest.raises(DataError, match="must be JSON in UTF-8; byte 0 is not valid UTF-8"):
        CocoCaptions(folder)


def test_a_folder_without_a_data_set_is_an_error(tmp_path):
    with pytest.raises(DataError, match="the folder does not exist"):
        datasets.open(f"coco:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match=r"no captions file found; looked for annotations/captions_\*\.json and"):
        datasets.open(f"coco:{tmp_path}")
    write(tmp_path, [{"id": 7, "file_name": "000000000007.jpg"}], [caption(1, 7)])
    with pytest.raises(
        DataError, match=r"none of the 1 images listed in captions_val2017\.json was found; looked in \.;"
    ):
        datasets.open(f"coco:{tmp_path}")
    write(tmp_path, [], [], "annotations/captions_train2017.json")
    with pytest.raises(DataError, match=r"several captions files \(annotations/captions_train2017\.json, .*choose one"):
        datasets.open(f"coco:{tmp_path}")


@pytest.mark.parametrize(
    "rest, message",
    [
        ("", "requires the folder with the captions and the images"),
        ("X,captoins=a", "unknown option 'captoins': did you mean captions?"),
    ],
)
def test_invalid_options_are_errors(rest, message):
    with pytest.raises(UsageError, match=message):
        datasets.open(f"coco:{rest}")


@pytest.mark.parametrize("option", ["captions=no.json", "images=no"])
def test_a_missing_specified_file_is_an_error(folder, option):
    with pytest.raises(DataError, match=f"{option} must name an existing (file|folder); not found: "):
        datasets.open(f"coco:{folder},{option}")


@pytest.mark.skipif(not (DATA / "photos").is_dir(), reason="the real records are not available")
@pytest.mark.parametrize(
    "split, numbers", [("train2017", {174375, 525891}), ("val2017", {229358, 255165, 423617, 551780})]
)
def test_real_captions_and_photos_are_read(tmp_path, split, numbers):
    """Each available photo gives its five captions; all other captions are refused."""
    (tmp_path / "annotations").mkdir()
    shutil.copy(DATA / "coco_captions" / f"captions_{split}.json", tmp_path / "annotations")
    (tmp_path / split).mkdir()
    photos = tomllib.loads((DATA / "photos" / "photos.toml").read_text(encoding="utf-8"))["photo"]
    for photo in photos:
        shutil.copy(DATA / "photos" / photo["file"], tmp_path / split / f"{photo['coco_id']:012}.jpg")
    dataset = CocoCaptions(tmp_path)
    samples = list(dataset)
    assert {sample.image_id for sample in samples} == {f"coco-{number}" for number in numbers}
    written = json.loads((tmp_path / "annotations" / f"captions_{split}.json").read_text(encoding="utf-8"))
    assert len(samples) + len(dataset.refusals) == len(written["annotations"])
    assert {one.reason for one in dataset.refusals} == {"the file does not exist"}
    for photo in photos:
        own = [sample for sample in samples if sample.image_id == f"coco-{photo['coco_id']}"]
        assert [sample.caption for sample in own] == [" ".join(one.split()) for one in photo["captions"]][: len(own)]
        for sample in own:
            assert sample.image.pixels().shape == (photo["height"], photo["width"], 3)
            assert len(sample.world.captions) == 4
