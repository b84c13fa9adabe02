/** Arithmetic of a side: TF32 is float32 with convolutions that keep 10 bits of mantissa, on NVIDIA cards from Ampere on. */
export const ARITHMETICS = ['float32', 'TF32', 'float16', 'bfloat16'] as const
export type Arithmetic = (typeof ARITHMETICS)[number]
