"""Names, configs and other identifiers to initializers, and back."""

from __future__ import annotations

import inspect
from typing import Any

from ..._errors import FaninTypeError, FaninValueError, a_type, hint, shown
from . import _constants, _fourier, _link, _random, _scaling

CLASSES = (
    _constants.Zeros, _constants.Ones, _constants.Constant, _constants.Identity, _fourier.STFT,
    _random.RandomUniform, _random.RandomNormal, _random.TruncatedNormal, _scaling.VarianceScaling,
    _scaling.GlorotUniform, _scaling.GlorotNormal, _scaling.LecunUniform, _scaling.LecunNormal, _scaling.HeUniform,
    _scaling.HeNormal, _random.Orthogonal,
)


def snake_case(name: str) -> str:
    """RandomUniform -> random_uniform; STFT -> stft."""
    return "".join("_" + c if c.isupper() and i and not name.isupper() else c for i, c in enumerate(name)).lower()


# Keras' table (keras.src.initializers.ALL_OBJECTS_DICT): the classes' names, the same in snake case, and seven more.
NAMES: dict[str, Any] = {spelled: cls for cls in (_link.Initializer, *CLASSES)
         for spelled in (cls.__name__.lstrip("_"), snake_case(cls.__name__.lstrip("_")))} | {
    "IdentityInitializer": _constants.Identity, "OrthogonalInitializer": _random.Orthogonal,
    "STFTInitializer": _fourier.STFT, "normal": _random.RandomNormal, "uniform": _random.RandomUniform,
    "one": _constants.Ones, "zero": _constants.Zeros,
}


def get(identifier: Any) -> Any:
    """The initializer that an identifier stands for.

    Args:
        identifier: a name (in the case that Keras writes it), a config as `serialize` makes it, an initializer class or
            instance, any other callable that takes `(shape, dtype=None)`, an array (an initializer of its shape with
            its values), or None.

    Returns:
        An initializer, or None for None. A class gives a new instance; a callable is itself returned.

    Raises:
        FaninValueError: an unknown name, or something that is none of these; so a plain number, as in Keras.

    With Keras, names and configs that were registered there are found too, and win.

    >>> get("glorot_uniform").clone()
    GlorotUniform(seed=None, input_axes=None, output_axes=None)
    >>> get({"class_name": "Constant", "config": {"value": 0.5}})((2,))
    array([0.5, 0.5], dtype=float32)
    """
    if identifier is None:
        return None
    if isinstance(identifier, (str, dict)):
        found = deserialize(identifier)
    elif not callable(identifier) and _link.is_tensor(identifier):
        return _constants.from_array(identifier)
    else:
        found = identifier
    if not callable(found):
        raise FaninValueError("`identifier` must be a name, a config, a class, a callable, an array or None (got "
                              f"{shown(identifier, 100)}, {a_type(identifier)})")
    return found() if inspect.isclass(found) else found


def serialize(initializer: Any) -> Any:
    """The config of an initializer, in Keras' form: a dict with module, class_name, config and registered_name.

    Args:
        initializer: an initializer; with Keras, anything that Keras serializes. None and names are returned.

    Raises:
        FaninTypeError: without Keras, an object without `get_config`.

    The form is the same with and without Keras, and names Keras' own class: a process without fanin reads it as that.

    >>> from fanin.compat.keras import RandomUniform
    >>> serialize(RandomUniform(seed=3))["config"]
    {'seed': 3, 'minval': -0.05, 'maxval': 0.05}
    >>> deserialize(serialize(RandomUniform(seed=3)))
    RandomUniform(seed=3, minval=-0.05, maxval=0.05)
    """
    if _link.keras is not None:
        return _link.keras.saving.serialize_keras_object(initializer)
    if initializer is None or isinstance(initializer, str):
        return initializer
    if inspect.isclass(initializer) or not hasattr(initializer, "get_config"):
        raise FaninTypeError(f"`initializer` must be an initializer, with a get_config (got {shown(initializer, 100)}, "
                             f"{a_type(initializer)})")
    cls = type(initializer)
    return {"module": cls.__module__, "class_name": cls.__name__, "config": initializer.get_config(),
            "registered_name": f"{_link.PACKAGE}>{cls.__name__}" if cls in CLASSES else cls.__name__}


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that a config describes.

    Args:
        config: what `serialize` made, here or in Keras; or a name, for the initializer with its defaults; or None.
        custom_objects: a dict of further names to classes or functions.

    Raises:
        FaninValueError: an unknown class, or a parameter out of its range.
        FaninTypeError: a parameter that the class doesn't have, or a config that is neither a dict nor a name.

    A name that `custom_objects` or, with Keras, its registry has wins over Keras' own names. Mended: for an unknown
    class Keras returns its name.

    >>> deserialize({"class_name": "HeNormal", "config": {"seed": 3}})
    HeNormal(seed=3, input_axes=None, output_axes=None)
    """
    if config is None:
        return None
    whole = {"class_name": config, "config": {}} if isinstance(config, str) else config
    if not isinstance(whole, dict):
        raise FaninTypeError(f"`config` must be a dict, a name or None (got {shown(config, 100)}, "
                             f"{a_type(config)})")
    if not isinstance(whole.get("class_name"), str):
        raise FaninValueError(f"`config` must have a class_name (got {shown(config, 100)})")
    found = _find(whole, custom_objects)
    if found is None:
        return _deserialize_elsewhere(whole, custom_objects)
    if not inspect.isclass(found):
        return found
    parameters = whole.get("config") or {}
    if not isinstance(parameters, dict):
        raise FaninTypeError(f"`config` of {whole['class_name']} must be a dict (got {shown(parameters, 100)})")
    known = inspect.signature(found).parameters
    unknown = [name for name in parameters if name not in known]
    if found in CLASSES and unknown:
        raise FaninTypeError(f"`config` of {whole['class_name']} must hold only its parameters, which are "
                             f"{', '.join(known) or 'none'} (got {', '.join(map(repr, unknown))})")
    return found.from_config(parameters)  # type: ignore[attr-defined]


def _find(config: dict[str, Any], custom_objects: dict[str, Any] | None) -> Any:
    """The class, or function, that a config names: a custom one, or one of Keras' names."""
    candidates = [config.get("registered_name"), config["class_name"]]
    if config["class_name"] == "function":
        candidates.append(config.get("config"))
    for name in candidates:
        if isinstance(name, str):
            found = _link.custom(name, custom_objects)
            if found is not None:
                return found
    return NAMES.get(config["class_name"].removeprefix(f"{_link.PACKAGE}>"))


def _deserialize_elsewhere(config: dict[str, Any], custom_objects: dict[str, Any] | None) -> Any:
    """What Keras makes of a config that is none of ours, such as a function's; else an error with close matches."""
    found = None
    if _link.keras is not None:
        found = _link.keras.initializers.deserialize(config, custom_objects)
    if found is None or isinstance(found, str):
        name = str(config.get("config") if config["class_name"] == "function" else config["class_name"])
        meant = hint(name, [*NAMES, *(custom_objects or ())], otherwise="pass it in custom_objects if it is yours")
        raise FaninValueError(f"`identifier` must name an initializer (got {name!r}){meant}")
    return found
