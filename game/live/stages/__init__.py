"""The parts of the loop: plain objects with `step(input) -> output`."""
