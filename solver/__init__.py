"""Geometry and physics: body, tracking, reconstruction, measuring, patterns, cloth. No engine, no files, no clock."""
