"""Depth fusion of what stands still: a sparse signed-distance volume, its ray-cast prediction, its refinement."""
