"""Perturbations: make one sample into another; image, regions and caption together, one thing changed.

Each is a frozen dataclass of settings; `apply` runs them with the random draw that belongs to the request.
"""

from vlaudit.perturbations.base import Perturbation, apply
from vlaudit.perturbations.blank import Blank
from vlaudit.perturbations.clauses import SwapClauses
from vlaudit.perturbations.cover import Cover, CoverElsewhere
from vlaudit.perturbations.grayscale import Grayscale
from vlaudit.perturbations.hint import CopyHint, Hint
from vlaudit.perturbations.mask import MaskPhrases, MaskWords
from vlaudit.perturbations.mirror import Mirror
from vlaudit.perturbations.mismatch import Mismatch, mismatched
from vlaudit.perturbations.move import Move
from vlaudit.perturbations.noise import LuminanceNoise
from vlaudit.perturbations.recolor import Recolor
from vlaudit.perturbations.reveal import Reveal
from vlaudit.perturbations.swap import Foil, SwapColors, SwapSides

__all__ = [
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
    "Mismatch",
    "Move",
    "Perturbation",
    "Recolor",
    "Reveal",
    "SwapClauses",
    "SwapColors",
    "SwapSides",
    "apply",
    "mismatched",
]
