"""Geometry and physics: body model, tracking, reconstruction, measuring, patterns, cloth. No engine, no files, no clock."""
