// What shows of the person in the polished floor: the feet, fading as they rise.

uniform vec3 floor_shine;   // sRGB of what else the floor mirrors
uniform float polish;       // share that is mirrored at normal incidence

vec4 mirrored(vec3 albedo, vec3 position, vec3 n) {
    if (position.z > 0.5) discard;
    Light key = light_at(0, position);
    vec3 radiance = albedo * (key.irradiance * max(dot(n, key.toward), 0.0) + room_light(n));
    float here = exp(-position.z / 0.14);
#ifdef OVER_BACKDROP
    // The floor is drawn already: lay the image over it.
    float shine = polish + 0.25 * schlick(max(normalize(camera_position - position).z, 0.0));
    return vec4(to_screen(radiance), shine * here);
#else
    return vec4(mix(floor_shine, to_screen(radiance), here), 1.0);
#endif
}
