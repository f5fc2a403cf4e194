"""`Audit`: the result to look at."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from .._errors import agreeing, counted, listed
from .._report import Column, Content, Grid, Report, Run, fold
from .entries import Entry
from .findings import Finding
from .laws import BELLS, FEWEST, Law, visible_cut
from .sources import nbytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (Column("tensor", path=True), Column("shape", number=True), Column("law"), Column("scale"))
TITLES = {"rules": "Differences to the rules", "same": "Same numbers", "repeat": "Repeated shards",
          "lint": "Worth a look"}


class Audit(Report, Sequence[Entry]):
    """What a checkpoint holds: an entry for each tensor, and findings.

    Attributes:
        entries: for each tensor its parameter, what was seen, its law, and what its scale equals.
        findings: what is worth a second look; each has `kind`, `names` and `text`.
        title: the path, or "state dict".
    """

    def __init__(self, entries: Sequence[Entry], findings: Sequence[Finding], title: str) -> None:
        self.entries: tuple[Entry, ...] = tuple(entries)
        self.findings: tuple[Finding, ...] = tuple(findings)
        self.title = title

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Entry, ...]: ...

    def __getitem__(self, index: int | slice) -> Entry | tuple[Entry, ...]:
        return self.entries[index]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each tensor: name, shape, dtype, mean, std, min, max, kurtosis (less 3), the share of zeros,
        nonfinite, law, its parameters, what its scale equals, a note, and the findings that name it."""
        about: dict[str, list[str]] = {entry.name: [] for entry in self.entries}
        for finding in self.findings:
            for name in finding.names:
                about[name].append(finding.text)
        return [entry.to_dict() | {"findings": about[entry.name]} for entry in self.entries]

    @property
    def verdict(self) -> str:
        """The first sentence: how many tensors follow a law, and what was found."""
        laws = Counter(entry.law.name for entry in self.entries)
        parts = [f"{count} {kind_of(Law(name))}" for name, count in laws.most_common()]
        drawn = sum(count for name, count in laws.items() if Law(name).is_random)
        if laws["none"] and not drawn:
            state = "trained, or changed by hand: no tensor follows a random law"
        elif drawn and not laws["none"]:
            state = "as it was drawn: all tensors with enough values follow a law"
        elif drawn:
            follow = agreeing(drawn, "follows", "follow")
            state = f"partly as it was drawn: {counted(drawn, 'tensor')} {follow} a random law, {laws['none']} none"
        else:
            state = "nothing that was drawn at random"
        return f"{state[0].upper()}{state[1:]} ({', '.join(parts)})."

    def _content(self, unfold: bool = False) -> Content:
        elements = sum(math.prod(entry.parameter.shape) for entry in self.entries)
        size = sum(nbytes(entry.parameter) for entry in self.entries)
        amount = f"{counted(len(self), 'tensor')}, {counted(elements, 'element')}, {counted(size, 'byte')}."
        found = [self._found(kind, unfold) for kind in TITLES]
        tensors_grid = Grid(COLUMNS, tuple(self._row(run) for run in self._runs(unfold)))
        grids = (*(grid for grid in found if grid.rows), tensors_grid)
        return Content(f"Audit of {self.title}", (self.verdict, amount), grids, tuple(self._notes()))

    def _notes(self) -> Iterator[str]:
        """What the names of the laws leave open."""
        sizes = [entry.seen.moments.finite for entry in self.entries
                 if entry.law.name == "normal" and entry.seen.moments is not None]
        if sizes:
            ends = dict.fromkeys(f"{visible_cut(size):.2g}" for size in (min(sizes), max(sizes)))
            yield f"normal: a cut beyond {' to '.join(ends)} σ can't be seen (it depends on the tensor's size)"
        if any(entry.law.name == "few" for entry in self.entries):
            yield f"too few: fewer than {FEWEST} values, or fewer than {BELLS:,} that fit a normal law and others"
        yield from sorted({entry.law.note for entry in self.entries if entry.law.name == "sparse" and entry.law.note})
        redrawn = sum(bool(entry.law.name == "truncated" and entry.law.note) for entry in self.entries)
        if redrawn:
            have = agreeing(redrawn, "has", "have")
            yield (f"normal cut at ±2 σ: {redrawn} of these {have} a few values beyond the cut, as where a draw is "
                   "repeated three times at most (Keras on torch)")

    def _found(self, kind: str, unfold: bool) -> Grid:
        """The findings of one kind: a row for each tensor, or run of layers, that a finding is about."""
        columns = [Column("tensor", path=True), Column("what")]
        if kind == "rules":
            columns = [Column("tensor", path=True), Column("is"), Column("the rules ask")]
        rows: list[tuple[str, ...]] = []
        for finding in self.findings:
            if finding.kind != kind:
                continue
            names, text = list(finding.names), finding.text
            if kind == "same":  # of one tensor, with the others
                text = f"{text}: {listed(names[1:], at_most=3)}"
                names = names[:1]
            elif not unfold:
                names = [str(run) for run in fold(names, [""] * len(names))]
            rows += [(name, text, finding.asked)[:len(columns)] for name in names]
        return Grid(tuple(columns), tuple(rows), TITLES[kind])

    def _runs(self, unfold: bool) -> list[Run]:
        names = [entry.name for entry in self.entries]
        if unfold:
            return [Run(name, (row,)) for row, name in enumerate(names)]
        return fold(names, [(entry.parameter.shape, entry.parameter.dtype, entry.law.name,
                             str(entry.law) if not entry.law.is_random and entry.law.name != "none" else "",
                             tuple(map(str, entry.meanings[:1]))) for entry in self.entries])

    def _row(self, run: Run) -> tuple[str, ...]:
        entries = [self.entries[row] for row in run.rows]
        first = entries[0]
        titles = {entry.law.title for entry in entries}
        law = titles.pop() if len(titles) == 1 else kind_of(first.law)
        scales = {entry.scale for entry in entries}
        scale = first.scale
        if len(scales) > 1:  # nothing that they equal
            stds = sorted(entry.std or 0.0 for entry in entries)
            scale = f"{stds[0]:.3g} to {stds[-1]:.3g}"
        shape = "×".join(map(str, first.parameter.shape)) or "scalar"
        return str(run), shape, law, scale

    def plot(self) -> Figure:
        """Each tensor's std and kurtosis, in the order of the tensors, marked by its law.

        Raises:
            FaninImportError: matplotlib is missing (`pip install 'fanin[plot]'`).
        """
        from .picture import draw

        return draw(self.entries)


def kind_of(law: Law) -> str:
    """A law without its parameters: what tensors with other parameters share."""
    return {"truncated": "cut normal", "sparse": "sparse"}.get(law.name) or law.title
