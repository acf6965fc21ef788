"""Job source in, module text and compile report out: pure."""
