// What shows of the person in the polished floor: the feet, fading as they rise.

uniform vec3 floor_shine;   // sRGB of what else the floor mirrors

vec4 mirrored(vec3 albedo, vec3 position, vec3 n) {
    if (position.z > 0.5) discard;
    Light key = light_at(0, position);
    vec3 radiance = albedo * (key.irradiance * max(dot(n, key.toward), 0.0) + room_light(n));
    return vec4(mix(to_screen(radiance), floor_shine, 1.0 - exp(-position.z / 0.14)), 1.0);
}
