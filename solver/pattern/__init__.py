"""Patterns: drafting garments as flat panels with seams, and cutting the panels into triangles."""
