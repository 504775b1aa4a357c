// The paper roll, lit by a lamp behind the person at chest height and by the key on the floor.

uniform vec3 paper;     // linear albedo

vec3 paper_radiance(vec3 local) {
    vec2 glow = vec2(local.x / 1.9, (local.z - 1.3) / 1.8);
    float behind = exp(-dot(glow, glow));
    float pool = exp(-dot(local.xy, local.xy) / 4.0);
    float wall = smoothstep(0.2, 2.8, local.y + local.z);
    float level = mix(0.62 + 0.38 * pool, 0.38 + 0.66 * behind, wall);
    vec3 tint = mix(vec3(1.0, 0.985, 0.965), vec3(1.0, 0.97, 0.93), behind * wall);
    return paper * tint * level;
}

