"""Colours of the whole body as one picture."""
