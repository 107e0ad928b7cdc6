"""Samples of Flickr30k Entities: one per caption, with all boxes of its image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from vlaudit.datasets.attached import AttachedFeatures
from vlaudit.datasets.base import Refusal
from vlaudit.datasets.flickr30k.annotations import Annotation, read_annotation
from vlaudit.datasets.flickr30k.files import PLACES, image_stems, unrelated_captions
from vlaudit.datasets.flickr30k.sentences import NOT_VISUAL, Malformed, Sentence, parse
from vlaudit.datasets.grounding import grounded_slots, label_of
from vlaudit.datasets.hints import OtherCaptions
from vlaudit.datasets.images import UnreadableImage, open_image
from vlaudit.datasets.photos import absent_image, find_photos
from vlaudit.samples import Image, Region, Sample


class _NumberedSentence(NamedTuple):
    """A caption and its line number in the file, from 1."""

    line: int
    sentence: Sentence


@dataclass(frozen=True)
class _Entry:
    """One image with its captions and regions; `linked` maps a coreference chain to region ids."""

    stem: str
    image: Image
    captions: tuple[_NumberedSentence, ...]
    regions: tuple[Region, ...]
    linked: Mapping[str, tuple[str, ...]]


class Flickr30kEntities:
    """Flickr30k Entities as a data set: one sample per caption, grouped by image; images in split order or by name.

    Construction lists the files; the two files of an image are read, or refused, during iteration. A refusal represents
    one caption without a sample, or one invalid box. Every sample has all regions of its image. A region is a box; its
    id is the coreference chains joined by "+", with "#2", "#3", ... for further boxes of the same chains; its label is
    the noun of the first phrase that refers to it. Phrases have at least one box, and their `id` is the chain. If
    photos are missing, `features` provides the regions, and `image` has the annotated size without pixels. The `world`
    of a sample provides `hint` and `copy_hint` from the other captions of its image.
    """

    name = "flickr30k-entities"

    def __init__(self, folder: Path, split: str = "", images: str = "", features: str = "", names: str = "") -> None:
        spec = f"{self.name}:{folder}"
        self.folder = folder
        self.split = split
        self.refusals: list[Refusal] = []
        self._stems = image_stems(spec, folder, split)
        self._unrelated = unrelated_captions(folder)
        wanted = {f"{stem}.jpg" for stem in self._stems}
        self._photos = find_photos(spec, folder, images, PLACES, wanted.__contains__, needed=not features)
        self._attached = AttachedFeatures.open(folder, features, names, self._stems)
        self._images: dict[str, Image | str] = {}
        self._counts: dict[str, tuple[int, int]] = {}

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples; repeated iterations add no refusals."""
        for stem in self._stems:
            entry, refused = self._entry(stem)
            samples = list(_samples(entry)) if entry else []
            boxes = len(entry.regions) if entry else 0
            if entry and self._attached:
                samples, unmatched = self._attached.attach(stem, entry.image, samples)
                refused += unmatched
            if stem not in self._counts:
                self.refusals += refused
                self._counts[stem] = (len(samples), boxes)
            yield from samples

    def describe(self) -> str:
        """Return the numbers of captions, images, boxes and refused records read so far, as one line."""
        captions, boxes = (sum(counts[i] for counts in self._counts.values()) for i in (0, 1))
        images = sum(counts[0] > 0 for counts in self._counts.values())
        split = f", {self.split}" if self.split else ""
        features = f"; {self._attached.describe()}" if self._attached else ""
        return (
            f"Flickr30k Entities{split}: {captions} captions of {images} images, {boxes} boxes, "
            f"{len(self.refusals)} records refused{features}"
        )

    def _entry(self, stem: str) -> tuple[_Entry | None, list[Refusal]]:
        """Read the two files of an image and open its photo; None if that fails."""
        captions, refused = self._captions(stem)
        try:
            annotation = read_annotation(self.folder / "Annotations" / f"{stem}.xml")
            image = self._image(stem, annotation)
        except FileNotFoundError:
            return None, refused + _each(captions, stem, f"{stem}.xml", "no such file in Annotations")
        except Malformed as reason:
            return None, refused + _each(captions, stem, f"{stem}.xml", str(reason))
        except UnreadableImage as reason:
            return None, refused + _each(captions, stem, f"{stem}.jpg", str(reason))
        refused += [Refusal(f"{stem}.xml", where, reason) for where, reason in annotation.faults]
        regions, linked = _regions(annotation, captions)
        if (annotation.width, annotation.height) != (image.width, image.height):
            problem = (
                f"annotated for {annotation.width} x {annotation.height} pixels, "
                f"but the image has {image.width} x {image.height}"
            )
            refused.append(Refusal(f"{stem}.xml", f"boxes of image {stem}", problem))
            regions, linked = (), {}
        return _Entry(stem, image, captions, regions, linked), refused

    def _captions(self, stem: str) -> tuple[tuple[_NumberedSentence, ...], list[Refusal]]:
        file = f"{stem}.txt"
        if Path(stem).name != stem:
            return (), [Refusal(file, "image id", "the path is outside the folder Sentences")]
        try:
            text = (self.folder / "Sentences" / file).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return (), [Refusal(file, "sentences", "no such file in Sentences")]
        except (OSError, UnicodeDecodeError) as reason:
            return (), [Refusal(file, "sentences", f"must be text in UTF-8: {reason}")]
        captions, refused = [], []
        for line, written in enumerate(text.rstrip().split("\n"), start=1):
            try:
                captions.append(_NumberedSentence(line, self._sentence(stem, line, written)))
            except Malformed as reason:
                refused.append(Refusal(file, f"line {line}", str(reason)))
        return tuple(captions), refused

    def _sentence(self, stem: str, line: int, written: str) -> Sentence:
        if (stem, line) in self._unrelated:
            raise Malformed("listed in UNRELATED_CAPTIONS: the caption does not describe its image")
        return parse(written)

    def _image(self, stem: str, annotation: Annotation) -> Image:
        """Return the photo, opened once, or with features a placeholder of the annotated size."""
        if stem not in self._images:
            try:
                self._images[stem] = open_image(self._photos.find(f"{stem}.jpg"), stem)
            except UnreadableImage as reason:
                placeholder = absent_image(f"flickr30k-{stem}", annotation.width, annotation.height)
                self._images[stem] = placeholder if self._attached else str(reason)
        image = self._images[stem]
        if isinstance(image, str):
            raise UnreadableImage(image)
        return image


def _each(captions: Sequence[_NumberedSentence], stem: str, file: str, reason: str) -> list[Refusal]:
    return [Refusal(file, f"caption {caption.line} of image {stem}", reason) for caption in captions]


def _regions(
    annotation: Annotation, captions: Sequence[_NumberedSentence]
) -> tuple[tuple[Region, ...], dict[str, tuple[str, ...]]]:
    """Return one region per box, and the region ids of every coreference chain."""
    labels: dict[str, str] = {}
    for caption in captions:
        for phrase in caption.sentence.phrases:
            named = caption.sentence.text[phrase.start : phrase.end]
            labels.setdefault(phrase.id, label_of(named))
    regions: list[Region] = []
    linked: dict[str, list[str]] = {}
    taken: dict[str, int] = {}
    for box, chains in annotation.boxes:
        name = "+".join(chains)
        taken[name] = taken.get(name, 0) + 1
        identity = f"{name}#{taken[name]}" if taken[name] > 1 else name
        label = next((labels[chain] for chain in chains if chain in labels), "")
        regions.append(Region(identity, box, label))
        for chain in chains:
            linked.setdefault(chain, []).append(identity)
    return tuple(regions), {chain: tuple(names) for chain, names in linked.items() if chain != NOT_VISUAL}


def _samples(entry: _Entry) -> Iterator[Sample]:
    for caption in entry.captions:
        text = caption.sentence.text
        marked = [replace(phrase, region_ids=entry.linked.get(phrase.id, ())) for phrase in caption.sentence.phrases]
        others = tuple(other.sentence.text for other in entry.captions if other.line != caption.line)
        yield Sample(
            id=f"flickr30k-{entry.stem}-{caption.line}",
            image_id=entry.stem,
            image=entry.image,
            caption=text,
            regions=entry.regions,
            phrases=tuple(phrase for phrase in marked if phrase.region_ids),
            slots=grounded_slots(text, marked),
            world=OtherCaptions(others),
        )
