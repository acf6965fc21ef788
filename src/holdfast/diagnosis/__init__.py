"""Why a run failed, in its author's words: one code, one cause, one change. Pure."""
