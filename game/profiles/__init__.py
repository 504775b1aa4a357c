"""Encrypted profiles: what a shopper asked to keep, sealed under their own secret. Without the engine."""
