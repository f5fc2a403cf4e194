"""A scheme whose sampler Python runs and no compiler takes."""

import fanin


@fanin.sampler
def text_of(u, scale):
    return scale if u < 2.0 else str(u)  # Python never comes to the second


class Uncompilable(fanin.Initializer):
    def plan(self, spec):
        return spec.draw(text_of, 1.0)
