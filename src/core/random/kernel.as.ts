/**
 * The two inner loops of PyTorch's normal noise in WebAssembly SIMD. AssemblyScript, not TypeScript:
 * `npm run build:kernel` compiles it into `kernel-bytes.ts`. Every bit is that of `mt19937.ts` and `box-muller.ts`,
 * whose comments say what is computed; here it is said how.
 *
 * Without a fused multiply-add, float32 numbers live in float64 lanes, two to a vector, and are rounded by converting
 * there and back. What needs no float64 runs on four lanes. Nothing branches on data.
 */

/** Words in the state of MT19937. */
const SIZE: usize = 624
const SHIFT: usize = 397

/**
 * Writes the words that follow the 624 at `state` right behind them, and their numbers at `numbers`. The state being
 * one long sequence, no index goes around its end; four words at once do not meet themselves, as SHIFT is 227 short of
 * SIZE.
 */
export function twist(state: usize, numbers: usize): void {
  for (let offset: usize = 0; offset < SIZE * 4; offset += 16) {
    const word = state + offset
    const top = v128.and(v128.load(word), i32x4.splat(0x80000000))
    const rest = v128.and(v128.load(word, 4), i32x4.splat(0x7fffffff))
    const odd = i32x4.shr_s(i32x4.shl(rest, 31), 31)
    const mixed = v128.xor(i32x4.shr_u(v128.or(top, rest), 1), v128.and(odd, i32x4.splat(0x9908b0df)))
    let y = v128.xor(v128.load(word, SHIFT * 4), mixed)
    v128.store(word, y, SIZE * 4)
    y = v128.xor(y, i32x4.shr_u(y, 11))
    y = v128.xor(y, v128.and(i32x4.shl(y, 7), i32x4.splat(0x9d2c5680)))
    y = v128.xor(y, v128.and(i32x4.shl(y, 15), i32x4.splat(0xefc60000)))
    v128.store(numbers + offset, v128.xor(y, i32x4.shr_u(y, 18)))
  }
}

/** Bytes from an element of the first half of a block of 16 to its partner in the second. */
const HALF: usize = 32

/** Box-Muller in place: `count` numbers of the engine, whole blocks of 16, become normal float32 ones. */
export function boxMuller(numbers: usize, count: usize): void {
  const end = numbers + count * 4
  for (let block = numbers; block < end; block += 2 * HALF) {
    for (let pair = block; pair < block + HALF; pair += 16) {
      const radius = f32x4.sqrt(f32x4.mul(f32x4.splat(-2), log(f32x4.sub(f32x4.splat(1), uniform(v128.load(pair))))))
      const angle = f32x4.mul(f32x4.splat(TWO_PI), uniform(v128.load(pair, HALF)))
      const eighths = i32x4.trunc_sat_f32x4_s(f32x4.mul(angle, f32x4.splat(FOUR_OVER_PI)))
      const octant = v128.and(i32x4.add(eighths, i32x4.splat(1)), i32x4.splat(~1))
      const low = remainder(angle, octant)
      const high = remainder(upper(angle), upper(octant))
      const lowSquare = round(f64x2.mul(low, low))
      const highSquare = round(f64x2.mul(high, high))
      const sine = pack(sin(low, lowSquare), sin(high, highSquare))
      const cosine = pack(cos(lowSquare), cos(highSquare))
      // A quarter turn (bit 1) swaps the two, a half (bit 2) turns the signs of both, three quarters that of one.
      const swap = i32x4.shr_s(i32x4.shl(octant, 30), 31)
      const sineSign = signOfBit2(octant)
      const cosineSign = signOfBit2(i32x4.add(octant, i32x4.splat(2)))
      v128.store(pair, f32x4.mul(radius, v128.xor(v128.bitselect(sine, cosine, swap), cosineSign)))
      v128.store(pair, f32x4.mul(radius, v128.xor(v128.bitselect(cosine, sine, swap), sineSign)), HALF)
    }
  }
}

/** Four numbers of the engine as multiples of 2⁻²⁴ in [0, 1). */
@inline
function uniform(words: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(v128.and(words, i32x4.splat(0xffffff))), f32x4.splat(5.9604644775390625e-8))
}

@inline
function signOfBit2(bits: v128): v128 {
  return v128.and(i32x4.shl(bits, 29), i32x4.splat(0x80000000))
}

/** A constant of float32 in both lanes of float64. */
@inline
function both(value: f32): v128 {
  return f64x2.splat(value as f64)
}

/** Rounded to float32. */
@inline
function round(a: v128): v128 {
  return f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(a))
}

/** a · b + c, rounded once. */
@inline
function fma(a: v128, b: v128, c: v128): v128 {
  return round(f64x2.add(f64x2.mul(a, b), c))
}

/** The upper two of four lanes, where the conversions to float64 take theirs. */
@inline
function upper(a: v128): v128 {
  return v128.shuffle<i64>(a, a, 1, 1)
}

/** Two and two lanes of float64, rounded, as four of float32. */
@inline
function pack(low: v128, high: v128): v128 {
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2)
}

const SQRT_HALF_BITS: i32 = 0x3f3504f3
const LN_2_HIGH: f32 = 0.693359375
const LN_2_LOW: f32 = -2.1219444e-4
const L0: f32 = 7.0376836292e-2
const L1: f32 = -1.151461031e-1
const L2: f32 = 1.167699874e-1
const L3: f32 = -1.2420140846e-1
const L4: f32 = 1.4249322787e-1
const L5: f32 = -1.6668057665e-1
const L6: f32 = 2.0000714765e-1
const L7: f32 = -2.4999993993e-1
const L8: f32 = 3.3333331174e-1

/** The natural logarithms of four positive and normal float32 numbers. */
@inline
function log(values: v128): v128 {
  const exponent = i32x4.shr_s(i32x4.sub(values, i32x4.splat(SQRT_HALF_BITS)), 23)
  const x = f32x4.sub(i32x4.sub(values, i32x4.shl(exponent, 23)), f32x4.splat(1))
  return pack(logOfParts(x, exponent), logOfParts(upper(x), upper(exponent)))
}

/** log((1 + x) · 2^exponent) of the lower two lanes, in float64 and not yet rounded. */
@inline
function logOfParts(x32: v128, exponent32: v128): v128 {
  const x = f64x2.promote_low_f32x4(x32)
  const exponent = f64x2.convert_low_i32x4_s(exponent32)
  const square = round(f64x2.mul(x, x))
  let y = fma(fma(fma(fma(both(L0), x, both(L1)), x, both(L2)), x, both(L3)), x, both(L4))
  y = fma(fma(fma(fma(y, x, both(L5)), x, both(L6)), x, both(L7)), x, both(L8))
  y = fma(round(f64x2.mul(y, x)), square, round(f64x2.mul(exponent, both(LN_2_LOW))))
  y = fma(square, both(-0.5), y)
  return f64x2.add(f64x2.mul(exponent, both(LN_2_HIGH)), round(f64x2.add(x, y)))
}

const TWO_PI: f32 = 6.283185307179586
const FOUR_OVER_PI: f32 = 1.2732395447351628
const PI_0: f32 = -0.78515625
const PI_1: f32 = -2.4187564849853516e-4
const PI_2: f32 = -3.774894977445941e-8
const C0: f32 = 2.443315711809948e-5
const C1: f32 = -1.388731625493765e-3
const C2: f32 = 4.166664568298827e-2
const S0: f32 = -1.9515295891e-4
const S1: f32 = 8.3321608736e-3
const S2: f32 = -1.6666654611e-1

/** What the lower two angles have over so many eighths of a turn, from −π/4 to π/4. */
@inline
function remainder(angle32: v128, octant32: v128): v128 {
  const octant = f64x2.convert_low_i32x4_s(octant32)
  const x = f64x2.add(f64x2.mul(octant, both(PI_0)), f64x2.promote_low_f32x4(angle32))
  return fma(octant, both(PI_2), fma(octant, both(PI_1), x))
}

/** The sine of such an angle, not yet rounded. */
@inline
function sin(x: v128, square: v128): v128 {
  const tail = round(f64x2.mul(fma(fma(both(S0), square, both(S1)), square, both(S2)), square))
  return f64x2.add(f64x2.mul(tail, x), x)
}

/** The cosine of the angle with this square, not yet rounded. */
@inline
function cos(square: v128): v128 {
  const tail = round(f64x2.mul(fma(fma(both(C0), square, both(C1)), square, both(C2)), square))
  return f64x2.add(fma(square, both(-0.5), round(f64x2.mul(tail, square))), both(1))
}
