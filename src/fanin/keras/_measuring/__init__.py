"""How `fanin.keras.signal` measures a model: what all backends share, and a file for each that has its own way."""
