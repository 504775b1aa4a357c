"""Builders of the assets; run once by hand, never by the application."""
