"""The interface's own design: type, space, colour, motion, and the things that are touched."""
