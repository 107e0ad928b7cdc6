"""Networks that are classes of transformers, behind the contract of `vlaudit.models.streams.contract`.

transformers is imported when one of them is loaded, not before. Configs are read by name, weights by our own reader:
no code from a checkpoint folder is executed, and nothing is downloaded.
"""
