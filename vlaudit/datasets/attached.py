"""Region features from a file for samples with annotated boxes: the options `features=FILE` and `names=FILE`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vlaudit.datasets.base import Refusal
from vlaudit.datasets.features import FeatureFile, open_features, require_shared
from vlaudit.datasets.features.matching import MatchCounts, match_boxes, name_mismatch, read_names, with_features
from vlaudit.errors import DataError, RefusedSample, UsageError
from vlaudit.samples import Image, Sample


class AttachedFeatures:
    """A feature file of a data set, with counts of the annotated boxes that match a detector box."""

    def __init__(self, file: FeatureFile, names: Sequence[str] = ()) -> None:
        self.file = file
        self.names = names
        self.counts = MatchCounts()

    @classmethod
    def open(cls, folder: Path, features: str, names: str, image_ids: Sequence[str] = ()) -> AttachedFeatures | None:
        """Open the files of `features=FILE,names=FILE`, relative to the folder of the data; None if both are empty.

        `names` lists the detector's classes (`read_names`). Raises `DataError` if a file does not exist, the features
        are for other images, or the names do not match the features; `UsageError` for names without features.
        """
        if names and not features:
            raise UsageError(f"names={names} requires region features; add ,features=FILE")
        if not features:
            return None
        if not (folder / features).exists():
            raise DataError(f"features={features} must name an existing file; not found: {folder / features}")
        file = open_features(folder / features)
        require_shared(file, image_ids)
        class_names = read_names(folder / names) if names else ()
        if class_names and (mismatch := name_mismatch(next(iter(file)), class_names)):
            raise DataError(
                f"names={names} does not match features={features}: {mismatch}; use the class list of this detector"
            )
        return cls(file, class_names)

    def size(self, image_id: str) -> tuple[int, int] | None:
        """Return the width and height in pixels that the file states for an image, or None."""
        try:
            found = self.file.get(image_id)
        except RefusedSample:
            return None
        return (found.width, found.height) if found.has_size else None

    def attach(self, image_id: str, image: Image, samples: Sequence[Sample]) -> tuple[list[Sample], list[Refusal]]:
        """Return the samples of one image with the detector's regions, and a refusal for each unmatched box.

        Phrases without a matched region are removed. If the file has no features of the image, all samples are refused.
        """
        try:
            found = self.file.get(image_id).scaled_to(image.width, image.height)
            matched = [with_features(sample, found, names=self.names, counts=self.counts) for sample in samples]
        except RefusedSample as refusal:
            return [], [Refusal(self.file.path.name, f"sample {one.id}", refusal.reason) for one in samples]
        if not samples:
            return [], []
        regions = matched[0].regions  # shared by all samples, so that each vector is hashed once
        kept = [
            replace(one, regions=regions, phrases=tuple(phrase for phrase in one.phrases if phrase.region_ids))
            for one in matched
        ]
        return kept, self._unmatched(image_id, match_boxes(samples[0].regions, found, self.counts.min_iou).iou)

    def _unmatched(self, image_id: str, iou: Mapping[str, float]) -> list[Refusal]:
        min_iou = self.counts.min_iou
        return [
            Refusal(
                self.file.path.name,
                f"box {box_id} of image {image_id}",
                f"no detector box matches: the highest IoU is below {min_iou:g}",
            )
            for box_id, highest in iou.items()
            if highest < min_iou
        ]

    def describe(self) -> str:
        """Return the file, the number of matched boxes and their median IoU, as one line."""
        return f"{self.file.describe()}; {self.counts.describe()}"
