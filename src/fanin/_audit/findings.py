"""What is worth a second look: the same numbers twice, differences to rules, and lints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._errors import listed
from ..rules._roles import NORMS, role_of
from .entries import Entry
from .laws import FEWEST

EMBEDDING = "token_embedding"
UNPADDED = {"t5", "mt5", "umt5", "longt5", "switch_transformers", "udop", "pix2struct"}  # their padding has no own row
CLOSE = 0.02  # a std known no better than this equals too many things by chance


class Finding(NamedTuple):
    """Something to look at.

    Attributes:
        kind: "same", "repeat", "rules" or "lint".
        names: of the tensors that it is about.
        text: what it is, in words.
        asked: what the rules ask instead, of kind "rules".
    """

    kind: str
    names: tuple[str, ...]
    text: str
    asked: str = ""

    def __str__(self) -> str:
        asked = f"; the rules ask {self.asked}" if self.asked else ""
        return f"{listed(self.names, at_most=3)}: {self.text}{asked}"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for those that say the same of several tensors."""
    names = defaultdict(list)
    for finding in findings:
        names[finding._replace(names=())] += finding.names
    return [finding._replace(names=tuple(each)) for finding, each in names.items()]


def find(entries: Sequence[Entry], config: Mapping[str, Any]) -> list[Finding]:
    """Everything but the differences to rules."""
    return [*_same(entries), *_repeats(entries), *merged(_lints(entries, config))]


# -- the same numbers twice ---------------------------------------------------------------------------------------


def _same(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Tensors with the same bytes, and those that were drawn from the same random numbers at another scale."""
    free = [entry for entry in entries if entry.law.is_random or entry.law.name in ("none", "few")]
    free = [entry for entry in free if entry.seen.moments is not None and entry.seen.moments.finite >= FEWEST // 4]
    known: set[frozenset[str]] = set()
    for group in _groups(free, lambda entry: (entry.parameter.shape, entry.parameter.dtype, entry.seen.digest)):
        names = tuple(entry.name for entry in group)
        known.add(frozenset(names))
        if len({entry.place for entry in group}) > 1 or group[0].place is None:
            yield Finding("same", names, "the same values, tied or drawn twice from one seed")
    drawn = [entry for entry in free if entry.seen.signs is not None and entry.law.name != "none"]
    for group in _groups(drawn, lambda entry: (entry.seen.signs or b"")[:FEWEST // 8]):
        names = tuple(entry.name for entry in group)
        if frozenset(names) not in known:
            yield Finding("same", names, "begin with the same random numbers, from one seed")


def _groups(entries: Iterable[Entry], key: Callable[[Entry], Hashable]) -> Iterator[list[Entry]]:
    groups = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return (group for group in groups.values() if len(group) > 1)


def _repeats(entries: Iterable[Entry]) -> Iterator[Finding]:
    for entry in entries:
        if entry.seen.repeats:
            yield Finding("repeat", (entry.name,), f"{entry.seen.repeats}, as of ranks that drew the same shard")


# -- lints --------------------------------------------------------------------------------------------------------


def _lint(entry: Entry, text: str) -> Finding:
    return Finding("lint", (entry.name,), text)


def _lints(entries: Sequence[Entry], config: Mapping[str, Any]) -> Iterator[Finding]:
    biases = [entry for entry in entries if _is_bias(entry)]
    zero = sum(entry.law.name == "constant" and entry.law.parameters["value"] == 0 for entry in biases)
    drawn = sum(entry.law.is_random for entry in biases)
    for entry in entries:
        moments = entry.seen.moments
        if moments is not None and moments.nonfinite:
            yield _lint(entry, f"{moments.nonfinite:,} of its values are NaN or infinite")
        if _is_random_norm(entry):
            yield _lint(entry, "a norm's weight drawn at random around 0, where 1 is usual")
        elif zero > drawn and _is_bias(entry) and entry.law.is_random:
            yield _lint(entry, f"a bias drawn at random, where the other {zero} are zero")
        if _follows_fan_out(entry):
            yield _lint(entry, f"its std follows fan_out ({entry.meanings[0].text}), where fan_in is usual")
        row = _padding_row(entry, config)
        if row is not None and row not in entry.seen.zero_rows and entry.law.is_random:
            yield _lint(entry, f"its padding row {row} is not zero")
    yield from _untied(entries, config)


def _is_bias(entry: Entry) -> bool:
    """Whether it is a bias, and not a norm's."""
    path, _, key = entry.name.rpartition(".")
    return len(entry.parameter.shape) == 1 and "bias" in key and role_of(f"{path}.weight") not in NORMS


def _is_random_norm(entry: Entry) -> bool:
    moments = entry.seen.moments
    last = entry.name.rpartition(".")[2]
    if moments is None or len(entry.parameter.shape) != 1 or last not in ("weight", "gamma", "scale"):
        return False
    drawn = entry.law.is_random or entry.law.name == "few"
    return drawn and role_of(entry.name) in NORMS and moments.std > 0 and (
        abs(moments.mean) < 5 * moments.std / moments.finite**0.5)


def _follows_fan_out(entry: Entry) -> bool:
    """Whether a matrix's std is known well, and equals something by fan_out and nothing else."""
    shape, moments = entry.parameter.shape, entry.seen.moments
    if len(shape) != 2 or moments is None or not entry.meanings or role_of(entry.name) == EMBEDDING:
        return False
    closely = entry.law.name == "uniform" or 4 / (2 * moments.finite) ** 0.5 < CLOSE
    return closely and all(meaning.by_fan_out for meaning in entry.meanings)


def _padding_row(entry: Entry, config: Mapping[str, Any]) -> int | None:
    """The row that should be zero: by the layer, else the padding token of the embedding that has all tokens."""
    layer, shape = entry.parameter.layer, entry.parameter.shape
    if layer is not None and layer.padding_idx is not None:
        return layer.padding_idx % shape[0]
    row = config.get("pad_token_id")
    if config.get("model_type") in UNPADDED or not isinstance(row, int) or role_of(entry.name) != EMBEDDING:
        return None
    has_all = len(shape) == 2 and shape[0] == config.get("vocab_size")
    return row if has_all and 0 <= row < shape[0] else None


def _untied(entries: Sequence[Entry], config: Mapping[str, Any]) -> Iterator[Finding]:
    """The output layer of a model whose config ties it to the embedding, where both are there and differ."""
    if not config.get("tie_word_embeddings"):
        return
    embeddings = [entry for entry in entries if role_of(entry.name) == EMBEDDING]
    for entry in entries:
        if role_of(entry.name) == "head":
            for other in embeddings:
                if other.parameter.shape == entry.parameter.shape and other.seen.digest != entry.seen.digest:
                    yield _lint(entry, f"differs from {other.name}, to which config.json ties it")
