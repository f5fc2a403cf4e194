"""Whole models on disk: names, shapes and dtypes in; rules; safetensors files out. `cli.py` is its user."""
