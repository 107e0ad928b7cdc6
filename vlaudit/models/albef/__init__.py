"""ALBEF (Li et al. 2021, "Align before Fuse"): an image encoder, a text encoder, layers that fuse the two.

`config` holds the sizes and reads them from a file, `image_encoder` and `text_encoder` hold the encoders, `network`
the whole network, `losses` the losses of masked-word training.
The modules carry the names of the published checkpoints; the arithmetic is our own.
"""
