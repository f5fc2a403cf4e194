"""Numbers in rules that follow from the model, "=0.02/sqrt(2*layers)": arithmetic on names, and nothing else is run."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Mapping
from typing import Any

from .._errors import FaninValueError

_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.USub: operator.neg, ast.UAdd: operator.pos,
    ast.Pow: lambda base, power: float(base) ** float(power),  # of ints it could take for ever
}
_FUNCTIONS: dict[str, Any] = {"sqrt": math.sqrt, "log": math.log, "exp": math.exp, "min": min, "max": max}


def is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("=")


def used_names(value: Any) -> set[str]:
    """The names in all expressions of a (nested) value; FaninValueError for one that is no arithmetic."""
    if is_expression(value):
        return {node.id for node in ast.walk(_parse(value)) if isinstance(node, ast.Name)} - set(_FUNCTIONS)
    if isinstance(value, dict):
        value = list(value.values())
    return {name for item in value for name in used_names(item)} if isinstance(value, list) else set()


def substitute(value: Any, variables: Mapping[str, float]) -> Any:
    """The value with each expression in it replaced by its number."""
    if is_expression(value):
        try:
            result = _evaluate(_parse(value), variables)
        except (ArithmeticError, ValueError, TypeError) as error:
            given = ", ".join(f"{name}={variables[name]!r}" for name in sorted(used_names(value)))
            where = f" for {given}" if given else ""
            raise FaninValueError(f"{value!r} must have a real value (got {error}{where})") from None
        return result
    if isinstance(value, dict):
        return {key: substitute(item, variables) for key, item in value.items()}
    return [substitute(item, variables) for item in value] if isinstance(value, list) else value


def _parse(text: str) -> ast.expr:
    try:
        tree = ast.parse(text[1:].strip(), mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise FaninValueError(f"an expression must be arithmetic on numbers and names with + - * / // % ** and "
                              f"{', '.join(_FUNCTIONS)} (got {text!r}: {reason})") from None
    return tree


def _check(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=int() | float()) | ast.Name():
            pass
        case ast.BinOp() if type(node.op) in _OPERATORS:
            _check(node.left)
            _check(node.right)
        case ast.UnaryOp() if type(node.op) in _OPERATORS:
            _check(node.operand)
        case ast.Call(func=ast.Name(id=name), args=[_, *_], keywords=[]) if name in _FUNCTIONS:
            for argument in node.args:
                _check(argument)
        case _:
            raise ValueError(f"{ast.unparse(node)} is none")


def _evaluate(node: ast.expr, variables: Mapping[str, float]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return variables[node.id]
        case ast.BinOp():
            value = _OPERATORS[type(node.op)](_evaluate(node.left, variables), _evaluate(node.right, variables))
        case ast.UnaryOp():
            value = _OPERATORS[type(node.op)](_evaluate(node.operand, variables))
        case ast.Call(func=ast.Name(id=name)):
            value = _FUNCTIONS[name](*(_evaluate(argument, variables) for argument in node.args))
    if isinstance(value, complex) or not math.isfinite(value):
        raise ValueError(str(value))
    return value
