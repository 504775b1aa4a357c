"""Contact of cloth particles with an animated, triangulated body.

Every particle keeps a triangle for each group of body parts (the trunk; the arms) and walks from there to the one below
it, a few times a frame, never leaving the group: a sleeve cannot jump from the arm to the trunk, nor the trunk's cloth
into an armpit. Where groups meet both have the triangles of the seam, so that no cloth falls between them. The surface
between the vertices is rounded by Phong tessellation (Boubekeur & Alexa 2008), so that a coarse body does not show its
facets through the cloth.

From one search to the next the body below a particle is the tangent plane that was found, carried along by the surface:
that is all that the looks in between, several times as many, touch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

# The small kernels are inlined: handed to a function, the arrays of a NamedTuple cost as much as the work on them.
FAST = {"contract", "arcp", "nsz", "reassoc"}
WALK_STEPS = 8
PHONG = np.float32(0.5)
"""The paper's 0.75 overshoots: on a sphere a half is right."""
FAR = np.float32(-1e6)
"""Height of the plane of a particle that touches nothing [m]."""
RIM_REACH = np.float32(0.008)
"""How far sideways beyond the rim of a group its triangles still hold cloth off [m]."""


class BodySurface(NamedTuple):
    """The part of the body that cloth can touch, at one moment (B vertices, G triangles)."""

    faces: NDArray[np.int32]
    """Vertices of each triangle, shape (G, 3)."""
    neighbors: NDArray[np.int32]
    """The triangle across the edge opposite each corner, -1 at the rim of a group, shape (G, 3)."""
    vertices: NDArray[np.float32]
    """Now [m], shape (B, 3)."""
    steps: NDArray[np.float32]
    """Way in one substep [m], shape (B, 3)."""
    normals: NDArray[np.float32]
    """Outward vertex normals, any length, shape (B, 3)."""
    lifts: NDArray[np.float32]
    """How much further off cloth is held about each vertex [m], shape (B,)."""


class ContactSettings(NamedTuple):
    """How cloth touches the body."""

    friction: float
    """Coulomb's coefficient."""
    gain: float
    """Most depth [m] that a substep's push turns into velocity; the rest is undone without any."""
    interval: int
    """Substeps from one look at contacts to the next."""
    search_interval: int
    """Looks from one search for the triangle below a particle to the next."""


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def walk_to_triangle(x0, x1, x2, start, surface):
    """The triangle over which point x lies: (triangle, b1, b2, is_open), with barycentric weights clamped to it;
    `is_open` where the way to it leads over the rim of the group."""
    faces, neighbors, vertices = surface.faces, surface.neighbors, surface.vertices
    face = start
    before = np.int32(-1)
    b0 = b1 = b2 = np.float32(0.0)
    is_open = False
    for _ in range(WALK_STEPS):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        a0, a1, a2 = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        e0, e1, e2 = vertices[b, 0] - a0, vertices[b, 1] - a1, vertices[b, 2] - a2
        f0, f1, f2 = vertices[c, 0] - a0, vertices[c, 1] - a1, vertices[c, 2] - a2
        d0, d1, d2 = x0 - a0, x1 - a1, x2 - a2
        ee = e0 * e0 + e1 * e1 + e2 * e2
        ef = e0 * f0 + e1 * f1 + e2 * f2
        ff = f0 * f0 + f1 * f1 + f2 * f2
        de = d0 * e0 + d1 * e1 + d2 * e2
        df = d0 * f0 + d1 * f1 + d2 * f2
        determinant = ee * ff - ef * ef
        if determinant <= np.float32(1e-20):
            is_open = True
            break
        inverse = np.float32(1.0) / determinant
        b1 = (ff * de - ef * df) * inverse
        b2 = (ee * df - ef * de) * inverse
        b0 = np.float32(1.0) - b1 - b2
        corner = 0
        least = b0
        if b1 < least:
            corner, least = 1, b1
        if b2 < least:
            corner, least = 2, b2
        if least >= 0.0:
            break
        following = neighbors[face, corner]
        if following < 0:
            is_open = True
            break
        if following == before:  # a ridge: the nearest point lies on the common edge
            break
        before = face
        face = following
    b1 = min(max(b1, np.float32(0.0)), np.float32(1.0))
    b2 = min(max(b2, np.float32(0.0)), np.float32(1.0))
    total = max(b0, np.float32(0.0)) + b1 + b2
    return face, b1 / total, b2 / total, is_open


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def surface_point(x0, x1, x2, face, b1, b2, surface):
    """(gap, nearest point, unit normal) at barycentric weights of a triangle: `gap` [m] is x's height above the rounded
    surface along the interpolated normal, the point lies on the flat triangle."""
    faces, vertices, normals = surface.faces, surface.vertices, surface.normals
    a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
    b0 = np.float32(1.0) - b1 - b2
    q0 = b0 * vertices[a, 0] + b1 * vertices[b, 0] + b2 * vertices[c, 0]
    q1 = b0 * vertices[a, 1] + b1 * vertices[b, 1] + b2 * vertices[c, 1]
    q2 = b0 * vertices[a, 2] + b1 * vertices[b, 2] + b2 * vertices[c, 2]
    n0 = b0 * normals[a, 0] + b1 * normals[b, 0] + b2 * normals[c, 0]
    n1 = b0 * normals[a, 1] + b1 * normals[b, 1] + b2 * normals[c, 1]
    n2 = b0 * normals[a, 2] + b1 * normals[b, 2] + b2 * normals[c, 2]
    inverse = np.float32(1.0) / np.sqrt(max(n0 * n0 + n1 * n1 + n2 * n2, np.float32(1e-20)))
    n0 *= inverse
    n1 *= inverse
    n2 *= inverse
    gap = (x0 - q0) * n0 + (x1 - q1) * n1 + (x2 - q2) * n2
    return gap, q0, q1, q2, n0, n1, n2


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def phong_bulge(q0, q1, q2, n0, n1, n2, face, b1, b2, surface):
    """How far the rounded surface stands out from the flat triangle at point q, along its normal [m], never inwards."""
    faces, vertices, normals = surface.faces, surface.vertices, surface.normals
    bulge = np.float32(0.0)
    for corner in range(3):
        weight = b1 if corner == 1 else (b2 if corner == 2 else np.float32(1.0) - b1 - b2)
        v = faces[face, corner]
        m0, m1, m2 = normals[v, 0], normals[v, 1], normals[v, 2]
        height = (q0 - vertices[v, 0]) * m0 + (q1 - vertices[v, 1]) * m1 + (q2 - vertices[v, 2]) * m2
        bulge -= weight * height * (m0 * n0 + m1 * n1 + m2 * n2)
    return max(PHONG * bulge, np.float32(0.0))


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def lay_plane(x0, x1, x2, start, thickness, reach, surface, plane):
    """The plane that holds particle x off the body, into `plane` (7,): (triangle below it, distance to it [m]).

    plane: unit normal, height of the plane along it, way of the body below in one substep. FAR is the height where
    nothing within `reach` [m] could be touched.
    """
    face, b1, b2, is_open = walk_to_triangle(x0, x1, x2, start, surface)
    gap, q0, q1, q2, n0, n1, n2 = surface_point(x0, x1, x2, face, b1, b2, surface)
    squared = (x0 - q0) ** 2 + (x1 - q1) ** 2 + (x2 - q2) ** 2
    distance = np.sqrt(squared)
    if gap > thickness + np.float32(0.01) + reach or (is_open and squared - gap * gap > RIM_REACH * RIM_REACH):
        plane[3] = FAR
        return face, distance
    faces, steps, lifts = surface.faces, surface.steps, surface.lifts
    a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
    b0 = np.float32(1.0) - b1 - b2
    held_off = thickness + b0 * lifts[a] + b1 * lifts[b] + b2 * lifts[c]
    held_off += phong_bulge(q0, q1, q2, n0, n1, n2, face, b1, b2, surface)
    plane[0], plane[1], plane[2] = n0, n1, n2
    plane[3] = q0 * n0 + q1 * n1 + q2 * n2 + held_off
    plane[4] = b0 * steps[a, 0] + b1 * steps[b, 0] + b2 * steps[c, 0]
    plane[5] = b0 * steps[a, 1] + b1 * steps[b, 1] + b2 * steps[c, 1]
    plane[6] = b0 * steps[a, 2] + b1 * steps[b, 2] + b2 * steps[c, 2]
    return face, distance


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def touch_plane(i, plane, age, settings, touched, previous, positions):
    """Move particle i out of a plane that was laid `age` substeps ago, and let friction hold it."""
    n0, n1, n2 = plane[0], plane[1], plane[2]
    s0, s1, s2 = plane[4], plane[5], plane[6]
    x0, x1, x2 = positions[i, 0], positions[i, 1], positions[i, 2]
    depth = plane[3] + age * (s0 * n0 + s1 * n1 + s2 * n2) - x0 * n0 - x1 * n1 - x2 * n2
    if depth <= 0.0:
        return
    # The way of the particle since the last look, relative to the point of the body below it.
    t0 = x0 - touched[i, 0] - settings.interval * s0
    t1 = x1 - touched[i, 1] - settings.interval * s1
    t2 = x2 - touched[i, 2] - settings.interval * s2
    along = t0 * n0 + t1 * n1 + t2 * n2
    t0 -= along * n0
    t1 -= along * n1
    t2 -= along * n2
    slip = np.sqrt(t0 * t0 + t1 * t1 + t2 * t2)
    hold = np.float32(1.0)
    if slip > settings.friction * depth:
        hold = settings.friction * depth / slip
    # A constant force moves a particle by k (k + 1) / 2 a dt^2 in k substeps and speeds it up by k a dt: of the push
    # that undoes the one, 2 / (k + 1) undoes the other. What undoes a deep overlap gives no speed at all.
    still = np.float32(1.0) - np.float32(2.0) / (np.float32(1.0) + settings.interval)
    lift = depth * still + max(depth - settings.gain, np.float32(0.0)) * (np.float32(1.0) - still)
    previous[i, 0] += lift * n0 - still * hold * t0
    previous[i, 1] += lift * n1 - still * hold * t1
    previous[i, 2] += lift * n2 - still * hold * t2
    positions[i, 0] = x0 + depth * n0 - hold * t0
    positions[i, 1] = x1 + depth * n1 - hold * t1
    positions[i, 2] = x2 + depth * n2 - hold * t2


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def lay_planes(surface, thickness, reach, tracks, waits, positions, planes):
    """Search: the planes that hold all particles off both groups of the body until the next search.

    thickness (P, 2) [m] above the surface of each group; reach [m] is how far a particle can come nearer to the body
    from one search to the next: one that is further away waits. tracks (P, 2): triangle under each particle in each
    group, or -1, column 1 being the particle's own group; waits (P, 2): searches to leave out; positions (P, 4);
    planes (P, 2, 7).
    """
    for i in prange(positions.shape[0]):
        for group in range(2):
            if tracks[i, group] < 0 or positions[i, 3] == 0.0:
                planes[i, group, 3] = FAR
                continue
            if waits[i, group] > 0:
                waits[i, group] -= 1
                planes[i, group, 3] = FAR
                continue
            face, distance = lay_plane(
                positions[i, 0],
                positions[i, 1],
                positions[i, 2],
                tracks[i, group],
                thickness[i, group],
                reach,
                surface,
                planes[i, group],
            )
            tracks[i, group] = face
            waits[i, group] = min(10, np.int32(max(distance - np.float32(0.015), np.float32(0.0)) / reach))


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def touch_planes(planes, age, settings, touched, previous, positions):
    """Look: contact of all particles with their planes, the particle's own group last, so that it wins.

    planes (P, 2, 7) of `lay_planes`, laid `age` substeps ago; touched (P, 3): positions at the last look, brought up to
    date; previous (P, 3): positions at the start of the substep; positions (P, 4).
    """
    for i in prange(positions.shape[0]):
        for group in range(2):
            if planes[i, group, 3] != FAR:
                touch_plane(i, planes[i, group], age, settings, touched, previous, positions)
        for axis in range(3):
            touched[i, axis] = positions[i, axis]


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def blend_body(motion, fraction, substep_share, surface):
    """The body between two frames: vertices and normals (B, 3) at `fraction` of the way; steps = substep_share of it.

    motion has start, end, start_normals and end_normals, all (B, 3).
    """
    start, end = motion.start, motion.end
    start_normals, end_normals = motion.start_normals, motion.end_normals
    vertices, steps, normals = surface.vertices, surface.steps, surface.normals
    for v in prange(start.shape[0]):
        for axis in range(3):
            way = end[v, axis] - start[v, axis]
            vertices[v, axis] = start[v, axis] + fraction * way
            steps[v, axis] = substep_share * way
            turn = end_normals[v, axis] - start_normals[v, axis]
            normals[v, axis] = start_normals[v, axis] + fraction * turn


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def farthest_way(tracks, waits, faces, vertex_ids, now, target):
    """The longest way [m] from `now` to `target` of the body's vertices that cloth lies on or near.

    tracks, waits (P, 2) as in `lay_planes`: who waits is not near. faces (G, 3); vertex_ids (B,) of the touchable
    vertices `now` (B, 3) in `target` (V, 3), the whole body.
    """
    most = np.float32(0.0)
    for i in range(tracks.shape[0]):
        for group in range(2):
            face = tracks[i, group]
            if face < 0 or waits[i, group] > 0:
                continue
            for corner in range(3):
                v = faces[face, corner]
                w = vertex_ids[v]
                d0 = target[w, 0] - now[v, 0]
                d1 = target[w, 1] - now[v, 1]
                d2 = target[w, 2] - now[v, 2]
                most = max(most, d0 * d0 + d1 * d1 + d2 * d2)
    return np.sqrt(most)
