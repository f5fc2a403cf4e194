"""Kernels compiled once for all tests here, the cases that the run will ask for first."""

from types import SimpleNamespace

import pytest

from ptx.build import Builds


@pytest.fixture(scope="session")
def builds(request):
    """`builds[case]`: PTX and expected values."""
    made = Builds()
    asked = [item.callspec.params["case"] for item in request.session.items
             if "case" in getattr(item, "callspec", SimpleNamespace(params={})).params]
    made.order(dict.fromkeys(asked))
    yield made
    made.close()
