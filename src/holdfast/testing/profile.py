"""Which Lightning a twin behaves like (`docs/spec/lightning-answers.md`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What differs between releases of Lightning; everything else was the same in all of them."""

    name: str
    #: Knows `run:batch_logs` (about March 2026); before, its channel crashes on it.
    batch_logs: bool = True
    #: Replaces NUL in log messages (2.14.1); before, its channel crashes on it.
    replaces_nul: bool = True
    #: Takes log lines with an empty text (2025).
    empty_lines: bool = True
    #: Wraps outputs that are no objects as `{"value": x}` (April 2026); before, it refuses them.
    wraps_outputs: bool = True
    #: Takes outputs as JSON values and not only as text (2.19).
    native_outputs: bool = False
    #: Looks whether `final_dataclip_id` exists (March 2026); before, it ignores the field.
    checks_final_clip: bool = True
    #: What it calls an unknown input dataclip in a refusal.
    clip_field: str = "input_dataclip"


OLD = Profile(
    "old", batch_logs=False, replaces_nul=False, empty_lines=False, wraps_outputs=False,
    checks_final_clip=False,
)  # fmt: skip
CURRENT = Profile("current")
NEWEST = Profile("newest", native_outputs=True, clip_field="input_dataclip_id")
PROFILES = (OLD, CURRENT, NEWEST)
