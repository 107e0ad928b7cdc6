"""A small region encoder, which replaces the detector of region-feature models for images with known boxes.

It receives an image and boxes and returns a feature vector, class and attribute log-probabilities per box, from the
pixels inside the box alone. So every perturbation of pixels reaches a region-feature model.
"""

from vlaudit.models.region_encoder.encoder import EncodedRegions, RegionEncoder
from vlaudit.models.region_encoder.loading import load_encoder

__all__ = ["EncodedRegions", "RegionEncoder", "load_encoder"]
