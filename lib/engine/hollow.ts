/**
 * Tensors without values. A recording needs only the shapes of its results. So large ones are freed as soon as their shape
 * is known, and zeros replace them as inputs: recording takes the memory of one operation, not of a whole step.
 */
import { sizeOf } from './graph'
import { ATTR, type Binding, DTYPE, type TensorMetadata } from './native'

/** Smaller ones keep their values: they may be shapes and axes, and cost nothing. */
const LARGE = 16384

/** A tensor whose values are gone, and where it was made. */
interface Hollow extends TensorMetadata {
  readonly origin: Error
}

export class HollowTensors {
  private readonly tensors = new Map<number, Hollow>()

  constructor(private readonly binding: Binding) {}

  /** Frees a large result's values; its id still stands for it. */
  empty(result: TensorMetadata, origin: Error): void {
    if (result.dtype !== DTYPE.float32 || sizeOf(result) < LARGE) return
    this.binding.deleteTensor(result.id)
    this.tensors.set(result.id, { ...result, origin })
  }

  /** Calls `body` with ids that exist: zeros, during the call, in place of tensors without values. */
  filled<T>(ids: readonly number[], body: (ids: number[]) => T): T {
    const made: number[] = []
    try {
      const existing = ids.map((id) => {
        const hollow = this.tensors.get(id)
        if (!hollow) return id
        made.push(this.zeros(hollow.shape))
        return made.at(-1)!
      })
      return body(existing)
    } finally {
      for (const id of made) this.binding.deleteTensor(id)
    }
  }

  /** Forgets a tensor; false if it has values. */
  delete(id: number): boolean {
    return this.tensors.delete(id)
  }

  /** Those not disposed of yet. */
  get left(): readonly Hollow[] {
    return [...this.tensors.values()]
  }

  private zeros(shape: readonly number[]): number {
    const { binding } = this
    const dims = binding.createTensor([shape.length], DTYPE.int32, Int32Array.from(shape))
    const zero = binding.createTensor([], DTYPE.float32, new Float32Array(1))
    const attributes = [
      { name: 'T', type: ATTR.type, value: DTYPE.float32 },
      { name: 'index_type', type: ATTR.type, value: DTYPE.int32 },
    ]
    const [result] = binding.executeOp('Fill', attributes, [dims, zero], 1)
    for (const id of [dims, zero]) binding.deleteTensor(id)
    return result!.id
  }
}
