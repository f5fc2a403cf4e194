"""How `fanin.jax.signal` measures a model: taps on each layer's output, whose gradients are the figures."""
