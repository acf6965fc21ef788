"""A figure beside its bar: held, or missed."""

from __future__ import annotations


def against(
    text: str, figure: float, bar: float, *, unit: str, least: bool = False, pace: float = 1.0
) -> bool:
    """Print one figure with its bar (the most it may be, or the `least`); whether it held.

    `pace`: how many times slower the machine was meanwhile than where the bars were set
    (`yardstick.pace`), for a figure that follows the processor's speed. Both are shown.
    """
    there = figure * pace if least else figure / pace
    raw, scaled = (_holds(value, bar, least=least) for value in (figure, there))
    word = "held" if raw else "held there" if scaled else "MISSED"
    shown = f"{_number(there)} at the pace of the bars, {pace:.1f} times faster; " * (pace > 1)
    sign = "≥" if least else "≤"
    print(
        f"{text}: {_number(figure)} {unit} ({shown}bar: {sign} {_number(bar)}; {word})", flush=True
    )
    return raw or scaled


def plain(text: str, figure: float, unit: str = "") -> None:
    """Print a figure that has no bar."""
    print(f"{text}: {_number(figure)} {unit}".rstrip(), flush=True)


def _holds(figure: float, bar: float, *, least: bool) -> bool:
    return figure >= bar if least else figure <= bar


def _number(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
