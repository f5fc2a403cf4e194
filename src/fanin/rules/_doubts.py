"""What a table gives that is seldom meant: random norms, fans of layers that nobody knows, tensors without elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .._errors import with_article
from .._initializers import Blocks, Constant, Initializer
from ._adapters import start_of_adapter
from ._advice import start_of_norm
from ._parameter import NO_LAYER
from ._recipe import Recipe
from ._roles import is_norm_weight
from ._table import Row
from ._warnings import grouped

_ZEROS = Constant(0.0)


def doubts(rows: Iterable[Row], by_shape: set[str]) -> list[str]:
    """The warnings about rows that are drawn; `by_shape` are the names whose rule says itself how fans are counted."""
    drawn = (row for row in rows if row.scheme is not None)
    return grouped(remark for row in drawn if not _is_plain_constant(row) for remark in _remarks(row, by_shape))


def _is_plain_constant(row: Row) -> bool:
    """Whether there is nothing to remark, as of most biases: the quick answer."""
    return type(row.scheme) is Constant and (row.parameter.layer or NO_LAYER).fixed is None


def forward_rules(recipe: Recipe | None) -> list[str]:
    """A warning for what a recipe asks of the model's own code, which initial weights can't do."""
    if recipe is None or not recipe.forward:
        return []
    return [f"the recipe {recipe.name} also changes the forward pass, which the model's own code has to do: "
            + "; ".join(f"{each.what} times {str(each.factor).removeprefix('=')}" for each in recipe.forward)]


def _remarks(row: Row, by_shape: set[str]) -> Iterator[tuple[str, str]]:
    parameter, layer = row.parameter, row.parameter.layer or NO_LAYER
    if layer.fixed is not None:
        yield "frozen, and computed by the model: it gets these values, whatever the rules", parameter.name
        return
    if is_norm_weight(parameter) and not _is_constant(row.scheme):
        yield f"a norm's weight gets random values (it starts from {start_of_norm(parameter)})", parameter.name
    start = start_of_adapter(parameter.name)
    if start is not None and start == _ZEROS and not _is_constant(row.scheme):
        yield "an adapter's weight gets random values (it starts from zeros, as the identity)", parameter.name
    if (len(parameter.shape) > 2 and layer.types and layer.layout is None and layer.fan_in is None
            and getattr(row.plan, "fan_in", None) is not None and parameter.name not in by_shape):
        yield (f"the fans of {len(parameter.shape)} axes in {with_article(layer.types[0])} are a guess (give its rule "
               'a layout, such as "bio" for a batch of matrices, or "fans": "shape")', parameter.name)


def _is_constant(scheme: Initializer | None) -> bool:
    parts = scheme.inits if isinstance(scheme, Blocks) else (scheme,)
    return all(isinstance(each, Constant) for each in parts)
