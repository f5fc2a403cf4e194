"""Scheme to plan: fans, checked parameters, and the sampler that is to make the numbers. No arrays, no keys."""
