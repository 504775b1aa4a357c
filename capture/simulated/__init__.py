"""A simulated shopper before a simulated depth camera."""
