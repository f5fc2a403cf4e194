"""A scheme of a function, for tests of what samplers may be."""

import fanin


def scheme(function, *params):
    """The scheme that draws with `function`, made a sampler, of these parameters."""
    function = fanin.sampler(function)

    class Sampled(fanin.Initializer):
        def plan(self, spec):
            return spec.draw(function, *params)

    return Sampled()
