/** Darknet's order of a kernel's numbers, [filters][in / groups][size][size], and TensorFlow's, [size, size, in / groups, filters]. */

export interface KernelSize {
  readonly size: number
  /** Channels that one filter sees. */
  readonly in: number
  readonly filters: number
}

/** From Darknet's order to TensorFlow's. */
export function fromDarknetKernel(kernel: Float32Array, shape: KernelSize): Float32Array {
  const result = new Float32Array(kernel.length)
  eachWeight(shape, (darknet, own) => {
    result[own] = kernel[darknet]!
  })
  return result
}

/** The inverse of `fromDarknetKernel`. */
export function toDarknetKernel(kernel: Float32Array, shape: KernelSize): Float32Array {
  const result = new Float32Array(kernel.length)
  eachWeight(shape, (darknet, own) => {
    result[darknet] = kernel[own]!
  })
  return result
}

function eachWeight(
  { size, in: inputs, filters }: KernelSize,
  visit: (darknet: number, own: number) => void,
): void {
  const area = size * size
  for (let filter = 0; filter < filters; filter++)
    for (let channel = 0; channel < inputs; channel++)
      for (let cell = 0; cell < area; cell++)
        visit((filter * inputs + channel) * area + cell, (cell * inputs + channel) * filters + filter)
}
