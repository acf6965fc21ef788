"""What compiling costs: CPU seconds and memory of a fresh process, for every shape of data."""
