"""COCO captions: what becomes a sample, what is refused, and what a user is told; on folders with the real traps."""

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


def test_each_caption_is_a_sample_and_captions_of_an_image_stand_together(folder):
    """In the order of the annotations, white space made plain, words mined."""
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


def test_a_hint_is_another_persons_caption_that_does_not_name_the_word(folder):
    """Of the same image, no form of the word; the copy hint names it."""
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
def test_the_usual_places_are_looked_in(tmp_path, place, file):
    """The captions beside the images or in annotations/, the images in the folder of any split, in either style."""
    draw(tmp_path, place)
    write(tmp_path, [{"id": 7, "file_name": "000000000007.jpg"}], [caption(1, 7)], file)
    assert len(list(datasets.open(f"coco:{tmp_path}"))) == 1


def test_files_can_be_named(tmp_path):
    """Where they lie elsewhere, both relative to the folder; a name may hold a folder."""
    draw(tmp_path, "my photos, 2/deep/000000000007.jpg")
    write(tmp_path, [{"id": 7, "file_name": "deep/000000000007.jpg"}], [caption(1, 7)], "mine.json")
    spec = f"coco:{tmp_path},captions=mine.json,images=my photos, 2"
    assert [sample.id for sample in datasets.open(spec)] == ["coco-7-1"]


def refusals_of(folder, **options):
    dataset = CocoCaptions(folder, **options)
    samples = list(dataset)
    return samples, dataset.refusals


def test_a_missing_image_costs_its_captions(folder):
    """Each is counted, and the rest goes on."""
    (folder / "val2017/000000000009.jpg").unlink()
    samples, refusals = refusals_of(folder)
    assert [sample.id for sample in samples] == ["coco-7-1"]
    assert refusals == [
        Refusal("000000000009.jpg", "caption 3 of image 9", "there is no such file"),
        Refusal("000000000009.jpg", "caption 2 of image 9", "there is no such file"),
    ]


def test_an_unreadable_image_costs_its_captions(folder):
    """With the reason."""
    (folder / "val2017/000000000007.jpg").write_bytes(b"not an image")
    samples, refusals = refusals_of(folder)
    assert len(samples) == 2
    reason = "it is no image of a format that is read (JPEG, PNG, WEBP, BMP, GIF, TIFF, PPM)"
    assert refusals == [Refusal("000000000007.jpg", "caption 1 of image 7", reason)]


def test_a_truncated_image_is_refused_when_its_pixels_are_read(folder):
    """Opening a large folder reads no pixels; whoever reads them gets the sample's image and the reason."""
    path = folder / "val2017/000000000007.jpg"
    Pillow.effect_noise((64, 64), 90).save(path)
    path.write_bytes(path.read_bytes()[:600])
    samples, refusals = refusals_of(folder)
    assert refusals == []
    with pytest.raises(RefusedSample, match=r"coco-7: 000000000007\.jpg: it cannot be decoded: "):
        samples[-1].image.pixels()


def test_rotated_photos_are_upright(folder):
    """Size and pixels."""
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.new("RGB", (20, 12)).save(folder / "val2017/000000000007.jpg", exif=exif)
    samples, _ = refusals_of(folder)
    assert (samples[-1].image.width, samples[-1].image.height) == (12, 20)
    assert samples[-1].image.pixels().shape == (20, 12, 3)


def test_animated_images_are_refused(folder):
    """A GIF under whatever name."""
    frames = [Pillow.new("L", (8, 8), shade) for shade in (0, 255)]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    (folder / "a.gif").rename(folder / "val2017/000000000007.jpg")
    assert refusals_of(folder)[1][0].reason == "it is animated or has several pages (2 frames)"


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/hostname", "..\\secret.jpg", "link.jpg"])
def test_a_path_that_leaves_the_folder_is_refused(folder, name):
    """By its text or by a link, though the file exists."""
    Pillow.new("RGB", (4, 4)).save(folder / "secret.jpg")
    (folder / "val2017/link.jpg").symlink_to(folder / "secret.jpg")
    images = [{"id": 7, "file_name": name}, {"id": 9, "file_name": "000000000009.jpg"}]
    write(folder, images, [caption(1, 7), caption(2, 9)])
    samples, refusals = refusals_of(folder)
    assert [sample.id for sample in samples] == ["coco-9-2"]
    assert [one.file for one in refusals] == [name]
    assert "leaves the image folder" in refusals[0].reason


def test_records_that_name_nothing_or_twice_are_refused(folder):
    """Captions for no image, empty captions, ids that are there twice."""
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
        Refusal(file, "image 7", "the id is there twice; the first record is kept"),
        Refusal(file, "image 9", "the id names 2 different files"),
        Refusal(file, "caption 1", "the id is there twice; the first record is kept"),
        Refusal(file, "caption 2", "it belongs to no image: image_id 8"),
        Refusal(file, "caption 3", r"the caption holds no word: ' \n '"),
        Refusal(file, "caption 4", "the caption holds no word: '...'"),
        Refusal(file, "caption 5", "it belongs to no image: image_id 9"),
    }
    assert len(refusals) == 8


@pytest.mark.parametrize(
    "record, reason",
    [
        ("text", "it must be an object, got a text"),
        ({"id": 1, "image_id": 7}, "it has no 'caption'"),
        ({"id": 1, "image_id": 7, "caption": None}, "its 'caption' must be a text, got null"),
        ({"id": [1], "image_id": 7, "caption": "a"}, "its 'id' must be a whole number or a text, got a list"),
        ({"id": True, "image_id": 7, "caption": "a"}, "its 'id' must be a whole number or a text, got true or false"),
        ({"id": 1, "image_id": 7.5, "caption": "a"}, "its 'image_id' must be a whole number or a text, got a number"),
    ],
)
def test_a_malformed_record_is_refused_by_its_place(folder, record, reason):
    """And the rest goes on."""
    write(folder, [{"id": 7, "file_name": "000000000007.jpg"}], [record, caption(2, 7)])
    samples, refusals = refusals_of(folder)
    assert [sample.id for sample in samples] == ["coco-7-2"]
    assert refusals == [Refusal("captions_val2017.json", "annotations[0]", reason)]


def test_every_iteration_gives_equal_samples_and_counts_once(folder):
    """And so does a limited one, which opens no more files than it needs."""
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


def test_a_limit_opens_no_more_images_than_it_needs(folder):
    """The broken one is never looked at."""
    (folder / "val2017/000000000007.jpg").unlink()
    dataset = CocoCaptions(folder)
    assert len(list(islice(dataset, 2))) == 2
    assert dataset.refusals == []


def test_samples_travel_between_processes(folder):
    """With their images and what is known beside the caption."""
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


def test_boxes_of_instances_answer_the_words(folder):
    """A noun by its category, a colour by the noun behind it; boxes are cut to the image."""
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


def test_nobody_knows_which_of_two_is_red(folder):
    """So the colour is linked to neither."""
    samples, _ = instances(folder, [(6, [1, 2, 5, 4]), (6, [9, 2, 5, 4])])
    assert {samples[0].text(slot): len(slot.region_ids) for slot in samples[0].slots} == {"red": 0, "bus": 2, "dog": 0}


@pytest.mark.parametrize(
    "box, reason",
    [
        ((6, [30, 2, 5, 4]), "it lies outside its image of 20 x 12 pixels"),
        ((6, [1, 2, 0, 4]), "its 'bbox' must be left, top, width, height with an area, got [1, 2, 0, 4]"),
        ((6, [1, 2, 3]), "its 'bbox' must be left, top, width, height with an area, got [1, 2, 3]"),
        ((6, [1, 2, 10**400, 4]), "its 'bbox' must be left, top, width, height with an area, got [1, 2, 1000"),
        ((7, [1, 2, 5, 4]), "it belongs to no category: category_id 7"),
    ],
)
def test_a_box_that_makes_no_sense_is_refused(folder, box, reason):
    """And the captions stay."""
    samples, refusals = instances(folder, [box, (6, [1, 2, 5, 4])])
    dataset = CocoCaptions(folder)
    assert list(dataset) == list(dataset) == samples
    assert dataset.refusals == refusals
    assert [region.id for region in samples[0].regions] == ["11"]
    assert [(one.file, one.where) for one in refusals] == [("instances_val2017.json", "box 10")]
    assert refusals[0].reason.startswith(reason)


def test_boxes_drawn_for_another_size_are_refused(folder):
    """As those of a photo that lay on its side."""
    samples, refusals = instances(folder, [(6, [1, 2, 5, 4])], width=12, height=20)
    assert [len(sample.regions) for sample in samples] == [0, 0]
    assert [str(one) for one in refusals] == [
        "instances_val2017.json: boxes of image 7: drawn for 12 x 20 pixels, it has 20 x 12"
    ]


def broken(folder, text, encoding="utf-8"):
    (folder / "annotations/captions_val2017.json").write_bytes(text.encode(encoding))


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", r"captions_val2017\.json: it must be JSON, but it is not: Expecting property name"),
        ("[" * 100_000, r"captions_val2017\.json: it must be JSON, but it is not"),
        ("[]", r"it must hold a JSON object with images and annotations, got a list"),
        ("{}", r"it must hold a list under the key 'images', but there is no 'images'"),
        ('{"images": {}}', r"it must hold a list under the key 'images', but 'images' is an object"),
        ('{"images": []}', r"it must hold a list under the key 'annotations', but there is no 'annotations'"),
    ],
)
def test_json_that_is_not_what_it_claims_is_told(folder, text, message):
    """The file, the key, and what came."""
    broken(folder, text)
    with pytest.raises(DataError, match=message):
        datasets.open(f"coco:{folder}")


def test_json_in_another_encoding_is_told(folder):
    """UTF-16, say; with the byte. A byte order mark is no fault."""
    text = (folder / "annotations/captions_val2017.json").read_text()
    broken(folder, text, "utf-8-sig")
    assert len(list(CocoCaptions(folder))) == 3
    broken(folder, text, "utf-16")
    with pytest.raises(DataError, match="it must be JSON in UTF-8, but byte 0 is not UTF-8"):
        CocoCaptions(folder)


def test_a_folder_without_a_data_set_is_told(tmp_path):
    """What is missing, where it was looked for, and how to name another."""
    with pytest.raises(DataError, match="there is no such folder"):
        datasets.open(f"coco:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match=r"there is no captions file: looked for annotations/captions_\*\.json and"):
        datasets.open(f"coco:{tmp_path}")
    write(tmp_path, [{"id": 7, "file_name": "000000000007.jpg"}], [caption(1, 7)])
    with pytest.raises(
        DataError, match=r"none of the 1 images that captions_val2017\.json names is there; looked in \.;"
    ):
        datasets.open(f"coco:{tmp_path}")
    write(tmp_path, [], [], "annotations/captions_train2017.json")
    with pytest.raises(DataError, match=r"several captions files \(annotations/captions_train2017\.json, .*choose one"):
        datasets.open(f"coco:{tmp_path}")


@pytest.mark.parametrize(
    "rest, message",
    [
        ("", "needs the folder that holds the captions and the images"),
        ("X,captoins=a", "no option 'captoins': did you mean captions?"),
    ],
)
def test_options_that_make_no_sense_are_told(rest, message):
    """Before anything is read."""
    with pytest.raises(UsageError, match=message):
        datasets.open(f"coco:{rest}")


@pytest.mark.parametrize("option", ["captions=no.json", "images=no"])
def test_a_named_file_that_is_not_there_is_told(folder, option):
    """By the option that named it."""
    with pytest.raises(DataError, match=f"{option} names no (file|folder); there is no "):
        datasets.open(f"coco:{folder},{option}")


@pytest.mark.skipif(not (DATA / "photos").is_dir(), reason="the real records are not beside this checkout")
@pytest.mark.parametrize(
    "split, numbers", [("train2017", {174375, 525891}), ("val2017", {229358, 255165, 423617, 551780})]
)
def test_real_captions_and_photos_are_read(tmp_path, split, numbers):
    """Every photo that is there gives its five captions; each other caption is counted as refused."""
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
    assert {one.reason for one in dataset.refusals} == {"there is no such file"}
    for photo in photos:
        own = [sample for sample in samples if sample.image_id == f"coco-{photo['coco_id']}"]
        assert [sample.caption for sample in own] == [" ".join(one.split()) for one in photo["captions"]][: len(own)]
        for sample in own:
            assert sample.image.pixels().shape == (photo["height"], photo["width"], 3)
            assert len(sample.world.captions) == 4
