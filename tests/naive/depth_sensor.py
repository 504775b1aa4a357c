"""Slow twin of `solver.kernels.depth_sensor`: one pixel after the other, as the text books say it."""

from __future__ import annotations

import numpy as np


def find_half_occluded(depth, focal_baseline):
    occluded = np.zeros(depth.shape, bool)
    for y, row in enumerate(np.asarray(depth, np.float64)):
        seen = row > 0
        landing = np.where(seen, np.arange(len(row)) - focal_baseline / np.where(seen, row, 1.0), np.inf)
        for x in np.flatnonzero(seen):
            occluded[y, x] = (landing[x + 1 :] < landing[x] - 0.5).any()
    return occluded


def depth_range(depth, y, x):
    column, row = depth[max(y - 2, 0) : y + 3, x], depth[y, max(x - 2, 0) : x + 3]
    around = np.concatenate([column, row])
    around = around[around > 0]
    return around.min(), around.max()


def returns_light(cosine, reflectance, luck):
    return min((cosine - 0.08) * 12.0, (reflectance - 0.035) * 60.0) + 0.5 + luck > 0


def sense_stereo(depth, surface, occluded, noise, luck, field, sensor):
    out = np.zeros(depth.shape)
    for y, x in np.argwhere(depth > 0):
        cosine, reflectance = surface[y, x]
        chance = luck[y, x]
        if occluded[y, x] or not returns_light(cosine, reflectance, chance):
            continue
        low, high = depth_range(depth, y, x)
        here, nearest, farthest = (sensor.focal_baseline / z for z in (depth[y, x], low, high))
        if nearest - farthest > 1.0:
            if here - farthest < nearest - here:
                if chance < -0.4:
                    here = nearest
                elif chance < 0.1:
                    here = farthest + (0.1 - chance) * 2.0 * (nearest - farthest)
                elif chance < 0.9:
                    continue
            elif chance < -1.2:
                continue
            elif chance < -0.9:
                here += (chance + 0.9) * 2.0 * (nearest - farthest)
        slant = min(1.0 / max(cosine, 0.1), 3.0) - 1.0
        here = here * sensor.scale + field[y, x] + sensor.sigma * (1.0 + 0.3 * slant) * noise[y, x]
        here = np.rint(here / sensor.step) * sensor.step
        if here > 0 and sensor.near <= sensor.focal_baseline / here <= sensor.far:
            out[y, x] = sensor.focal_baseline / here
    return out


def sense_flight(depth, surface, noise, luck, field, sensor):
    out = np.zeros(depth.shape)
    for y, x in np.argwhere(depth > 0):
        z = float(depth[y, x])
        cosine, reflectance = surface[y, x]
        chance = luck[y, x]
        if not returns_light(cosine, reflectance, chance):
            continue
        low, high = depth_range(depth, y, x)
        if high - low > 0.05:
            if chance < -1.0 or chance > 1.3:
                continue
            if abs(chance) < 0.35:
                z = low + (0.5 + chance) * (high - low)
        faint = 1.0 / np.sqrt(max(cosine * min(reflectance * 2.5, 1.0), 0.05))
        sigma = min(np.sqrt(sensor.floor**2 + (sensor.growth * z * z) ** 2) * faint, sensor.largest)
        wiggle = sensor.wiggle * np.sin(2.0 * np.pi * z / sensor.wiggle_period + sensor.wiggle_phase)
        measured = z * sensor.scale + field[y, x] + wiggle + sigma * noise[y, x]
        measured = np.rint(measured / sensor.step) * sensor.step
        if sensor.near <= measured <= sensor.far:
            out[y, x] = measured
    return out
