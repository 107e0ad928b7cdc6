"""A small region encoder: what a detector is to region-feature models, for images whose boxes are known.

It is given an image and boxes and returns a feature vector, class and attribute log-probabilities for each, from the
pixels inside the box alone. So whatever a perturbation does to pixels reaches a region-feature model.
"""

from vlaudit.models.region_encoder.encoder import EncodedRegions, RegionEncoder
from vlaudit.models.region_encoder.loading import load_encoder

__all__ = ["EncodedRegions", "RegionEncoder", "load_encoder"]
