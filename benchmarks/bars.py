"""A figure beside its bar: held, or missed."""

from __future__ import annotations


def against(text: str, figure: float, bar: float, *, unit: str, least: bool = False) -> bool:
    """Print one figure with its bar (the most it may be, or the `least`); whether it held."""
    held = figure >= bar if least else figure <= bar
    sign, word = "≥" if least else "≤", "held" if held else "MISSED"
    print(
        f"{text}: {_number(figure)} {unit} (bar: {sign} {_number(bar)} {unit}; {word})", flush=True
    )
    return held


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
