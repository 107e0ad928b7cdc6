"""Models whose networks are the classes of transformers, behind the contract of `vlaudit.models.streams.contract`.

transformers is imported when one of them is loaded, not before. Configs are read by name, weights by our own reader:
nothing that a folder holds is executed, and nothing is fetched.
"""
