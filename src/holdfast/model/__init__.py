"""Plan, limits, outcome, evidence, errors: pure values and rules."""
