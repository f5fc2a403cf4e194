"""A job's files onto the disk: drawn, streamed, complete under their names or not there."""
