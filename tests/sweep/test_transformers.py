"""Every architecture of transformers: what its own code draws, and what fanin's sets say, parameter by parameter."""

import pytest
import torch
import transformers

from sweep.architectures import NAMES, build
from sweep.laws import differences, lenient, unexplained


@pytest.fixture(autouse=True)
def _quiet():
    transformers.logging.set_verbosity_error()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_laws(name):
    """Each parameter is of the law of the set `transformer`, or of `torch` where transformers leaves what torch's layer
    draws: constants exactly, mean and std within 5 sigma. The exceptions are listed with their reasons."""
    torch.manual_seed(0)
    try:
        model = build(name, "cpu")
    except Exception as error:  # its default config makes no model, or needs a package or a file
        pytest.skip(f"{type(error).__name__}: {error}")
    if model is None:
        pytest.skip("no Auto class makes it")
    assert not unexplained(name, differences(model, lenient("transformer"), lenient("torch")))
