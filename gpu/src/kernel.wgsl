// One workgroup adds up one segment of two runs of elements of one type. It does no arithmetic that a driver may skip: what is not a
// number, huge or tiny is told by its bits, and marks the segment as one for the CPU.

const THREADS = 256u;
const SIGNLESS = 0x7fffffffu;
const HALF = 1u;
const SINGLE = 0u;

// Bits of 2^55, above which squares of a segment may overflow; of what f16 gives to infinity; of 2^-40, below which squares may vanish; of
// 2^-100, below which a difference may need digits that a driver is free to drop.
const LARGE = 0x5b000000u;
const HALF_LIMIT = 0x47800000u;
const SMALL = 0x2b800000u;
const TINY = 0x0d800000u;

@group(0) @binding(0) var<storage, read> before: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> after: array<vec4<u32>>;
// Of each segment: where it starts and how long it is, both in units of 16 bytes; its type, and 4 if every difference is counted; its
// histogram.
@group(0) @binding(2) var<storage, read> segments: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> results: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> histograms: array<atomic<u32>>;

// Of each thread: the sums of the delta, its size, its square and a's square; of b's square and the product; the largest difference, the
// counts of changed elements and bits, the marks; the largest of both sides.
var<workgroup> sums: array<vec4<f32>, THREADS>;
var<workgroup> products: array<vec2<f32>, THREADS>;
var<workgroup> counts: array<vec4<u32>, THREADS>;
var<workgroup> largest: array<vec2<u32>, THREADS>;
var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> is_ordinary: u32;

const DIFFERS = 1u;
const STRANGE = 2u;

struct Thread {
    sums: vec4<f32>,
    products: vec2<f32>,
    max_abs: vec4<u32>,
    largest_a: vec4<u32>,
    largest_b: vec4<u32>,
    changed: u32,
    bits: u32,
    marks: u32,
}

fn horizontal(values: vec4<f32>) -> f32 {
    return (values.x + values.y) + (values.z + values.w);
}

fn count(size: u32, changed: bool) {
    if changed {
        atomicAdd(&bins[size >> 23u], 1u);
    }
}

// Four pairs, as the bits of f32.
fn take(thread: ptr<function, Thread>, x_bits: vec4<u32>, y_bits: vec4<u32>, sampled: bool) {
    let x = bitcast<vec4<f32>>(x_bits);
    let y = bitcast<vec4<f32>>(y_bits);
    let delta = y - x;
    let size = abs(delta);
    let size_bits = bitcast<vec4<u32>>(size) & vec4(SIGNLESS);
    let difference = x_bits ^ y_bits;
    let changed = difference != vec4(0u);
    let a_size = x_bits & vec4(SIGNLESS);
    let b_size = y_bits & vec4(SIGNLESS);
    (*thread).sums += vec4(horizontal(delta), horizontal(size), dot(delta, delta), dot(x, x));
    (*thread).products += vec2(dot(y, y), dot(x, y));
    (*thread).max_abs = max((*thread).max_abs, size_bits);
    (*thread).largest_a = max((*thread).largest_a, a_size);
    (*thread).largest_b = max((*thread).largest_b, b_size);
    (*thread).changed += dot(select(vec4(0u), vec4(1u), changed), vec4(1u));
    (*thread).bits += dot(countOneBits(difference), vec4(1u));
    if sampled {
        let both = max(a_size, b_size);
        if any(changed & (both < vec4(TINY)) & (both != vec4(0u))) {
            (*thread).marks |= STRANGE;
        }
        count(size_bits.x, changed.x);
        count(size_bits.y, changed.y);
        count(size_bits.z, changed.z);
        count(size_bits.w, changed.w);
    }
}

// f16 as f32, exactly; what is not finite comes out as HALF_LIMIT or more.
fn half(bits: vec4<u32>) -> vec4<u32> {
    let shifted = (bits & vec4(0x7fffu)) << vec4(13u);
    let normal = shifted + vec4(0x38000000u);
    let one_up = bitcast<vec4<f32>>(normal + vec4(0x800000u));
    let subnormal = bitcast<vec4<u32>>(one_up - bitcast<vec4<f32>>(vec4(0x38800000u)));
    let magnitude = select(normal, subnormal, shifted < vec4(0x800000u));
    return magnitude | ((bits & vec4(0x8000u)) << vec4(16u));
}

fn take_all(thread: ptr<function, Thread>, segment: vec4<u32>, local: u32) {
    let kind = segment.z & 3u;
    let all = (segment.z & 4u) != 0u;
    // Of every 1024 elements the first 64: a unit of 16 bytes has four or eight of them.
    let stride = select(127u, 255u, kind == SINGLE);
    let stretch = select(8u, 16u, kind == SINGLE);
    for (var unit = local; unit < segment.y; unit += THREADS) {
        let x = before[segment.x + unit];
        let y = after[segment.x + unit];
        let sampled = all || (unit & stride) < stretch;
        if any(x != y) {
            (*thread).marks |= DIFFERS;
        }
        if kind == SINGLE {
            take(thread, x, y, sampled);
        } else if kind == HALF {
            take(thread, half(x & vec4(0xffffu)), half(y & vec4(0xffffu)), sampled);
            take(thread, half(x >> vec4(16u)), half(y >> vec4(16u)), sampled);
        } else {
            take(thread, x << vec4(16u), y << vec4(16u), sampled);
            take(thread, x & vec4(0xffff0000u), y & vec4(0xffff0000u), sampled);
        }
    }
}

fn most(values: vec4<u32>) -> u32 {
    return max(max(values.x, values.y), max(values.z, values.w));
}

fn fits(size: u32, limit: u32) -> bool {
    return size == 0u || (size >= SMALL && size < limit);
}

// Halves the threads' sums until one holds them all: always in the same order.
fn reduce(local: u32) {
    for (var others = THREADS / 2u; others > 0u; others /= 2u) {
        workgroupBarrier();
        if local < others {
            let other = local + others;
            sums[local] += sums[other];
            products[local] += products[other];
            let mine = counts[local];
            let theirs = counts[other];
            counts[local] = vec4(
                max(mine.x, theirs.x), mine.y + theirs.y, mine.z + theirs.z, mine.w | theirs.w
            );
            largest[local] = max(largest[local], largest[other]);
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn compare(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let segment = segments[group.x];
    atomicStore(&bins[local], 0u);
    workgroupBarrier();
    var thread = Thread();
    take_all(&thread, segment, local);
    sums[local] = thread.sums;
    products[local] = thread.products;
    counts[local] = vec4(most(thread.max_abs), thread.changed, thread.bits, thread.marks);
    largest[local] = vec2(most(thread.largest_a), most(thread.largest_b));
    reduce(local);
    if local == 0u {
        let limit = select(LARGE, HALF_LIMIT, (segment.z & 3u) == HALF);
        let found = counts[0];
        let ordinary = fits(largest[0].x, limit) && fits(largest[0].y, limit) && fits(found.x, LARGE + 0x800000u)
            && (found.w & STRANGE) == 0u && (found.x != 0u || found.y == 0u);
        is_ordinary = select(0u, 1u, ordinary);
        results[group.x * 3u] = vec4(found.xyz, (found.w & DIFFERS) | (is_ordinary << 1u));
        results[group.x * 3u + 1u] = bitcast<vec4<u32>>(sums[0]);
        results[group.x * 3u + 2u] = vec4(bitcast<vec2<u32>>(products[0]), 0u, 0u);
    }
    workgroupBarrier();
    let differences = atomicLoad(&bins[local]);
    if is_ordinary == 1u && differences != 0u {
        atomicAdd(&histograms[segment.w * 256u + local], differences);
    }
}
