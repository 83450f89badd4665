"""Tables of Measurements. Source: torch.utils.benchmark.utils.compare."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from typing import Any

from .common import Measurement, ordered_unique, select_unit, trim_sigfig, unit_to_english

__all__ = ["Colorize", "Compare"]

BOLD, END = "\033[1m", "\033[0m"
BEST, GOOD, BAD, WORST = "\033[92m", "\033[34m", "\033[2m\033[91m", "\033[31m"


class Colorize(enum.Enum):
    NONE = "none"
    COLUMNWISE = "columnwise"
    ROWWISE = "rowwise"


def _colored(text: str, value: float, best: float) -> str:
    if value <= best * 1.01 or value <= best + 100e-9:
        return BEST + BOLD + text + END * 2
    if value <= best * 1.1:
        return GOOD + BOLD + text + END * 2
    if value >= best * 5:
        return WORST + BOLD + text + END * 2
    return BAD + text + END * 2 if value >= best * 2 else text


class Compare:
    """Measurements as tables, one for each label: rows by threads, env and sub_label (or stmt), columns by description.

    Source: torch.utils.benchmark.Compare.
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self.extend_results(results)
        self._trim = self._highlight = False
        self._colorize = Colorize.NONE

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add Measurements."""
        results = list(results)
        for r in results:
            if not isinstance(r, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(r)} instead.")
        self._results += results

    def trim_significant_figures(self) -> None:
        """Show only the digits that mean something."""
        self._trim = True

    def colorize(self, rowwise: bool = False) -> None:
        """Mark good and bad times, compared within columns or rows."""
        self._colorize = Colorize.ROWWISE if rowwise else Colorize.COLUMNWISE

    def highlight_warnings(self) -> None:
        """Show the spread where it is wide."""
        self._highlight = True

    def print(self) -> None:
        print(str(self))

    def __str__(self) -> str:
        groups: dict[str | None, list[Measurement]] = {}
        for r in Measurement.merge(self._results):
            groups.setdefault(r.label, []).append(r)
        return "\n".join(self._table(label, group) for label, group in groups.items())

    def _table(self, label: str | None, results: list[Measurement]) -> str:
        unit, scale = select_unit(min(r.median for r in results))
        rows = ordered_unique((r.num_threads, r.env, r.as_row_name) for r in results)
        rows.sort(key=lambda row: row[:2])
        columns = ordered_unique(r.description for r in results)
        cells = {((r.num_threads, r.env, r.as_row_name), r.description): r for r in results}
        texts = {column: self._column([cells.get((row, column)) for row in rows], scale) for column in columns}
        envs = {r.env for r in results}
        width = max(len(str(env)) for env in envs) if len(envs) > 1 else 0
        lines = [["", *(column or "" for column in columns)]]
        before: Any = None
        for i, (threads, env, name) in enumerate(rows):
            shown = f"({env})" if len(envs) > 1 and (threads, env) != before else ""
            before = threads, env
            lines.append([f"  {shown.ljust(width + 4)}{name}", *(texts[column][i] for column in columns)])
        widths = [max(len(text) for text in column) for column in zip(*lines, strict=True)]
        out = ["  |  ".join(text.center(w) for text, w in zip(lines[0], widths, strict=True))]
        overall = len(out[0])
        group = None
        for row, line in zip(rows, lines[1:], strict=True):
            if row[0] != group:
                group = row[0]
                out.append(f"{group} threads: ".ljust(overall, "-"))
            found = [cells.get((row, column)) for column in columns]
            parts = [line[0].ljust(widths[0])]
            for column, text, w, r in zip(columns, line[1:], widths[1:], found, strict=True):
                text = text.center(w)
                if self._colorize is not Colorize.NONE and r is not None:
                    rowwise = self._colorize is Colorize.ROWWISE
                    others = found if rowwise else [cells.get((k, column)) for k in rows if k[0] == group]
                    text = _colored(text, r.median, min(o.median for o in others if o is not None))
                parts.append(text)
            out.append("  |  ".join(parts))
        note = ""
        if self._highlight and any(r.has_warnings for r in results):
            note = "(! XX%) Measurement has high variance, where XX is the IQR / median * 100.\n"
        title = f" {label or ''} ".center(overall - 2, "-")
        body = "\n".join(out)
        return f"[{title}]\n{body}\n\nTimes are in {unit_to_english(unit)}s ({unit}).\n{note}"

    def _column(self, cells: list[Measurement | None], scale: float) -> list[str]:
        """The texts of one column."""
        found = [r for r in cells if r is not None]
        warn = self._highlight and any(r.has_warnings for r in found)
        leading = [math.ceil(math.log10(r.median / scale)) for r in found]
        decimals = 1
        if self._trim:
            decimals = min(max(r.significant_figures - n, 0) for r, n in zip(found, leading, strict=True))
        length = max(leading) + decimals + (1 if decimals else 0)

        def text(r: Measurement | None) -> str:
            value = 1.0 if r is None else r.median / scale
            if self._trim:
                value = trim_sigfig(value, 1 if r is None else r.significant_figures)
            spread = f" (! {r.iqr / r.median * 100:.0f}%)" if r is not None and warn and r.has_warnings else ""
            number = f"{value:>{max(length, 0)}.{decimals}f}" + spread.rjust(7 if warn else 0)
            return " " * len(number) if r is None else number

        return [text(r) for r in cells]
