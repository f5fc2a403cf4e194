"""What pydantic asks about a field whose type is a scheme."""

from collections.abc import Mapping
from typing import Any

from .._errors import FaninError, with_article
from . import codec, schemes
from .base import Initializer
from .data import Scheme
from .parameters import REQUIRED, defaults, kind
from .registry import Registry


def core_schema(cls: type[Any]) -> Any:
    """Validate from a scheme, a name, a name table or a config; serialize to the config."""
    import pydantic_core  # here, so that the file can be read where pydantic isn't installed

    def validate(value: Any) -> Scheme:
        try:
            bare = isinstance(value, Mapping) and not {"scheme", "name"} & set(value)
            # {"std": 0.02} says enough in a field that takes nothing but a Normal
            scheme = cls.from_config(value) if bare and cls is not Initializer else Registry.get(value)
            if isinstance(scheme, cls):
                return scheme
            message = f"must be {with_article(cls.__name__)} (got {scheme!r})"
        except (FaninError, TypeError) as error:  # what a constructor raises; pydantic itself expects ValueErrors only
            message = str(error)
        raise pydantic_core.PydanticCustomError("initializer", "{message}", {"message": message})

    def serialize(value: Any) -> Any:
        # a default such as "he_normal", which pydantic doesn't validate, is itself a config
        return value.get_config() if isinstance(value, Initializer) else value

    return pydantic_core.core_schema.no_info_plain_validator_function(
        validate, serialization=pydantic_core.core_schema.plain_serializer_function_ser_schema(serialize))


def json_schema(cls: type[Any], mode: str) -> dict[str, Any]:
    """What `core_schema` takes (mode "validation"), or gives ("serialization"), as JSON Schema."""
    version = {"const": codec.VERSION}
    config: dict[str, Any]
    if cls is Initializer:
        config = {"type": "object", "properties": {"scheme": {"type": "string"}, "version": version},
                  "required": ["scheme"]}
    else:
        parameters = {name: {} if default is REQUIRED else {"default": codec.encode(name, default, kind(cls, name))}
                      for name, default in defaults(cls).items()}
        config = {"type": "object", "additionalProperties": False,
                  "properties": {"scheme": {"const": schemes.name_of(cls)}, "version": version, **parameters},
                  "required": [name for name, keywords in parameters.items() if not keywords]}
    if mode == "serialization":
        return {"title": cls.__name__, **config, "required": list(config["properties"])}
    table = {"type": "object", "properties": {"name": {"type": "string"}, "profile": {"type": "string"}},
             "required": ["name"]}
    name = {"type": "string", "description": "a name that fanin.Registry knows, or profile:name"}
    return {"title": cls.__name__, "anyOf": [name, table, config]}
