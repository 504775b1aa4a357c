// Smooth pseudo-random numbers in 0..1 at a point of space (value noise on a hashed lattice).

float hash31(vec3 p) {
    p = fract(p * 0.1031);
    p += dot(p, p.zyx + 31.32);
    return fract((p.x + p.y) * p.z);
}

float value_noise(vec3 p) {
    vec3 cell = floor(p), f = p - cell;
    f = f * f * (3.0 - 2.0 * f);
    vec4 low = vec4(hash31(cell), hash31(cell + vec3(1, 0, 0)), hash31(cell + vec3(0, 1, 0)), hash31(cell + vec3(1, 1, 0)));
    cell.z += 1.0;
    vec4 high = vec4(hash31(cell), hash31(cell + vec3(1, 0, 0)), hash31(cell + vec3(0, 1, 0)), hash31(cell + vec3(1, 1, 0)));
    vec4 z = mix(low, high, f.z);
    vec2 y = mix(z.xy, z.zw, f.y);
    return mix(y.x, y.y, f.x);
}
