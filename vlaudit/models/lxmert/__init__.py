"""LXMERT (Tan and Bansal 2019): a stack for words, one for regions, and cross-modality layers."""
