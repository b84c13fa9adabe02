/** How a side computes: TF32 is float32 with convolutions that keep 10 bits of the mantissa, on NVIDIA cards from Ampere on. */
export const ARITHMETICS = ['float32', 'TF32', 'float16', 'bfloat16'] as const
export type Arithmetic = (typeof ARITHMETICS)[number]
