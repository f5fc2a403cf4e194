"""How `fanin.torch.signal` measures a module: one forward and one backward pass, after which it is what it was."""
