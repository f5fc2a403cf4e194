"""Every norm of transformers: what trying a layer out tells fanin is what its model's own code gives its parameters."""

import pytest
import transformers

from fanin.torch import parameters
from sweep.laws import EXCEPTIONS
from sweep.norms import FILES, build, classes, starts

LISTED = {name for names in EXCEPTIONS["norms"].values() for name in names}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file", FILES)
def test_norms(file):
    """The parameters of each norm start from what `_init_weights` gives them; the exceptions are listed by name."""
    transformers.logging.set_verbosity_error()
    try:
        kinds, models = classes(file)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    found = {}
    for kind in kinds:
        try:
            layer = build(kind, models)
        except Exception as error:
            found[kind.__name__] = f"{type(error).__name__}: {error}"
            continue
        if layer is not None:
            told = {each.name: each.layer.start and each.layer.start.value for each in parameters(layer)}
            own = starts(layer, models)
            if told not in own:
                found[kind.__name__] = f"{told}, not {own}"
    assert not {name: text for name, text in found.items() if name not in LISTED}
    assert found.keys() == {kind.__name__ for kind in kinds} & LISTED


def test_norms_are_found():
    """Power: of one file's classes those that normalize are built, one of them from one and one from zero."""
    kinds, models = classes("qwen3_next.modeling_qwen3_next")
    layers = [layer for layer in (build(kind, models) for kind in kinds) if layer is not None]
    assert [(type(layer).__name__, starts(layer, models)) for layer in layers] == [
        ("Qwen3NextRMSNormGated", [{"weight": 1.0}]), ("Qwen3NextRMSNorm", [{"weight": 0.0}])]
