"""Region features from a file, put to samples whose boxes people drew: the options `features=FILE`, `names=FILE`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vlaudit.datasets.base import Refusal
from vlaudit.datasets.features import FeatureFile, open_features, require_shared
from vlaudit.datasets.features.matching import Matching, misfit, read_names, stand_ins, with_features
from vlaudit.errors import DataError, RefusedSample, UsageError
from vlaudit.samples import Image, Sample


class Attached:
    """A feature file beside a data set, and what is counted while its boxes stand in for annotated ones."""

    def __init__(self, file: FeatureFile, names: Sequence[str] = ()) -> None:
        self.file = file
        self.names = names
        self.tally = Matching()

    @classmethod
    def open(cls, folder: Path, features: str, names: str, image_ids: Sequence[str] = ()) -> Attached | None:
        """Open the files that `features=FILE,names=FILE` name, relative to the data's folder; None where neither is.

        `names` are those of the detector's classes (`read_names`). `DataError` where a file is not there, where the
        features are of none of these images, or where the names do not fit them; `UsageError` for names alone.
        """
        if names and not features:
            raise UsageError(f"names={names} names the classes of a detector; give what it saw with ,features=FILE")
        if not features:
            return None
        if not (folder / features).exists():
            raise DataError(f"features={features} names no file; there is no {folder / features}")
        file = open_features(folder / features)
        require_shared(file, image_ids)
        called = read_names(folder / names) if names else ()
        if called and (wrong := misfit(next(iter(file)), called)):
            raise DataError(f"names={names} does not fit features={features}: {wrong}; give the detector's own list")
        return cls(file, called)

    def size(self, image_id: str) -> tuple[int, int] | None:
        """Return the width and height in pixels that the file states for an image; None where it states none."""
        try:
            found = self.file.get(image_id)
        except RefusedSample:
            return None
        return (found.width, found.height) if found.sized else None

    def attach(self, image_id: str, image: Image, samples: Sequence[Sample]) -> tuple[list[Sample], list[Refusal]]:
        """Return the samples of one image with the detector's regions, and a refusal for each box without a stand-in.

        A phrase that no region is left for is left out. Without features of the image, each sample is refused.
        """
        try:
            found = self.file.get(image_id).fitted(image.width, image.height)
            matched = [with_features(sample, found, names=self.names, tally=self.tally) for sample in samples]
        except RefusedSample as refusal:
            return [], [Refusal(self.file.path.name, f"sample {one.id}", refusal.reason) for one in samples]
        if not samples:
            return [], []
        regions = matched[0].regions  # one tuple for all, so that each vector is digested once
        kept = [
            replace(one, regions=regions, phrases=tuple(phrase for phrase in one.phrases if phrase.region_ids))
            for one in matched
        ]
        return kept, self._refused(image_id, stand_ins(samples[0].regions, found, self.tally.least).iou)

    def _refused(self, image_id: str, overlaps: Mapping[str, float]) -> list[Refusal]:
        least = self.tally.least
        return [
            Refusal(
                self.file.path.name,
                f"box {box_id} of image {image_id}",
                f"no detector box stands in for it: the best overlap is below IoU {least:g}",
            )
            for box_id, overlap in overlaps.items()
            if overlap < least
        ]

    def describe(self) -> str:
        """Return which file it is, and how many annotated boxes were matched how well."""
        return f"{self.file.describe()}; {self.tally.describe()}"
