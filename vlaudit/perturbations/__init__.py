"""Perturbations: controlled changes of a sample that keep image, regions and caption consistent.

Each perturbation is a frozen dataclass of settings. `apply` runs perturbations with reproducible random numbers.
"""

from vlaudit.perturbations.base import Perturbation, apply
from vlaudit.perturbations.blank import Blank
from vlaudit.perturbations.clauses import SwapClauses
from vlaudit.perturbations.cover import Cover, CoverElsewhere
from vlaudit.perturbations.grayscale import Grayscale
from vlaudit.perturbations.hint import CopyHint, Hint
from vlaudit.perturbations.mask import MaskPhrases, MaskWords
from vlaudit.perturbations.mirror import Mirror
from vlaudit.perturbations.mismatch import OtherCaption, OtherImage, OtherPair, mismatched
from vlaudit.perturbations.move import Move
from vlaudit.perturbations.noise import LuminanceNoise
from vlaudit.perturbations.recolor import Recolor
from vlaudit.perturbations.swap import Foil, SwapColors, SwapSides
from vlaudit.perturbations.unmask import AskOther, Unmask

__all__ = [
    "AskOther",
    "Blank",
    "CopyHint",
    "Cover",
    "CoverElsewhere",
    "Foil",
    "Grayscale",
    "Hint",
    "LuminanceNoise",
    "MaskPhrases",
    "MaskWords",
    "Mirror",
    "Move",
    "OtherCaption",
    "OtherImage",
    "OtherPair",
    "Perturbation",
    "Recolor",
    "SwapClauses",
    "SwapColors",
    "SwapSides",
    "Unmask",
    "apply",
    "mismatched",
]
