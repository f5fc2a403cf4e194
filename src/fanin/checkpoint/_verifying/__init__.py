"""A checkpoint's files drawn again and compared."""
