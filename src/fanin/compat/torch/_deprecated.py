"""The names of torch 0.3: as in torch, with a FutureWarning and no signature of their own."""

from __future__ import annotations

from typing import Any

from typing_extensions import deprecated

from ._functions import (
    constant_,
    dirac_,
    eye_,
    kaiming_normal_,
    kaiming_uniform_,
    normal_,
    orthogonal_,
    sparse_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
)


@deprecated("`nn.init.uniform` is now deprecated in favor of `nn.init.uniform_`.", category=FutureWarning)
def uniform(*args: Any, **kwargs: Any) -> Any:
    """`uniform_`, with a FutureWarning."""
    return uniform_(*args, **kwargs)


@deprecated("`nn.init.normal` is now deprecated in favor of `nn.init.normal_`.", category=FutureWarning)
def normal(*args: Any, **kwargs: Any) -> Any:
    """`normal_`, with a FutureWarning."""
    return normal_(*args, **kwargs)


@deprecated("`nn.init.constant` is now deprecated in favor of `nn.init.constant_`.", category=FutureWarning)
def constant(*args: Any, **kwargs: Any) -> Any:
    """`constant_`, with a FutureWarning."""
    return constant_(*args, **kwargs)


@deprecated("`nn.init.eye` is now deprecated in favor of `nn.init.eye_`.", category=FutureWarning)
def eye(*args: Any, **kwargs: Any) -> Any:
    """`eye_`, with a FutureWarning."""
    return eye_(*args, **kwargs)


@deprecated("`nn.init.dirac` is now deprecated in favor of `nn.init.dirac_`.", category=FutureWarning)
def dirac(*args: Any, **kwargs: Any) -> Any:
    """`dirac_`, with a FutureWarning."""
    return dirac_(*args, **kwargs)


@deprecated("`nn.init.xavier_uniform` is now deprecated in favor of `nn.init.xavier_uniform_`.", category=FutureWarning)
def xavier_uniform(*args: Any, **kwargs: Any) -> Any:
    """`xavier_uniform_`, with a FutureWarning."""
    return xavier_uniform_(*args, **kwargs)


@deprecated("`nn.init.xavier_normal` is now deprecated in favor of `nn.init.xavier_normal_`.", category=FutureWarning)
def xavier_normal(*args: Any, **kwargs: Any) -> Any:
    """`xavier_normal_`, with a FutureWarning."""
    return xavier_normal_(*args, **kwargs)


@deprecated("`nn.init.kaiming_uniform` is now deprecated in favor of `nn.init.kaiming_uniform_`.",
            category=FutureWarning)
def kaiming_uniform(*args: Any, **kwargs: Any) -> Any:
    """`kaiming_uniform_`, with a FutureWarning."""
    return kaiming_uniform_(*args, **kwargs)


@deprecated("`nn.init.kaiming_normal` is now deprecated in favor of `nn.init.kaiming_normal_`.", category=FutureWarning)
def kaiming_normal(*args: Any, **kwargs: Any) -> Any:
    """`kaiming_normal_`, with a FutureWarning."""
    return kaiming_normal_(*args, **kwargs)


@deprecated("`nn.init.orthogonal` is now deprecated in favor of `nn.init.orthogonal_`.", category=FutureWarning)
def orthogonal(*args: Any, **kwargs: Any) -> Any:
    """`orthogonal_`, with a FutureWarning."""
    return orthogonal_(*args, **kwargs)


@deprecated("`nn.init.sparse` is now deprecated in favor of `nn.init.sparse_`.", category=FutureWarning)
def sparse(*args: Any, **kwargs: Any) -> Any:
    """`sparse_`, with a FutureWarning."""
    return sparse_(*args, **kwargs)
