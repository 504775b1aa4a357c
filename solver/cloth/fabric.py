"""What a cloth is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fabric:
    """Mechanical properties of one layer of cloth."""

    name: str
    mass: float
    """[kg/m^2]."""
    weft: float
    """Stretch stiffness across the grain [N/m]: force per width and strain."""
    warp: float
    """Stretch stiffness along the grain [N/m]."""
    shear: float
    """Shear stiffness [N/m]."""
    bend: float
    """Bending stiffness [N m]."""
    thickness: float
    """[m]."""
    friction: float
    """Coulomb's coefficient against skin."""
    damping: float = 1.0
    """Rate at which motion dies away in air and in the threads [1/s]."""
