"""Fixtures of several test files here."""

import pytest

import keras_backends


@pytest.fixture(scope="module")
def keras_folder(tmp_path_factory):
    """Where the checks of a test file leave what its tests compare."""
    return tmp_path_factory.mktemp("keras")


@pytest.fixture(scope="module")
def keras_outcomes(request, keras_folder):
    """The outcomes of a test file's checks on all of Keras' backends."""
    return keras_backends.outcomes(request.path, keras_folder)
