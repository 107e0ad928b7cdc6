"""ALBEF (Li et al. 2021, "Align before Fuse"): an image encoder, a text encoder, layers that fuse the two.

`config` holds the sizes and reads them from a file, `vision` and `text` hold the encoders, `network` the
whole, `losses` what masked-word training minimises.
The modules carry the names of the published checkpoints; the arithmetic is our own.
"""
