"""A model's tensors, read from whatever describes it: `read.py` finds out which kind that is."""
