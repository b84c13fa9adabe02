/**
 * Sine and cosine of an angle in turns. A polynomial, because the last bits of Math.sin and Math.cos differ
 * between engines and the scenes' pixels must not; additions and multiplications are exact by IEEE 754.
 * The error is below 4e-6.
 */
export function sinCos(turns: number): { readonly sin: number; readonly cos: number } {
  return { sin: sine(turns), cos: sine(turns + 0.25) }
}

function sine(turns: number): number {
  let t = turns - Math.floor(turns + 0.5) // -0.5 .. 0.5
  if (t > 0.25) t = 0.5 - t
  else if (t < -0.25) t = -0.5 - t
  const x = t * 6.283185307179586
  const s = x * x
  return x * (1 + s * (-1 / 6 + s * (1 / 120 + s * (-1 / 5040 + s * (1 / 362880)))))
}
