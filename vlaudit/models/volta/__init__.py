"""The five controlled models of VOLTA (Bugliarello et al. 2021): one encoder, five ways to embed, three ways to stack.

`config` reads the official fields and ships the published ones, `embeddings`, `encoder` and `heads` are the parts,
`network` the whole, `loading` reads published files. The modules carry the names of the published checkpoints; the
arithmetic is our own.
"""
