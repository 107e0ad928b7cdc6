"""UNITER (Chen et al. 2020): one stack of BERT layers over words and regions."""
