/** The numbers that tests and oracles share; the same generator as oracle/lcg.py. */
export class Lcg {
  constructor(private state: number) {}

  next(): number {
    this.state = (Math.imul(1664525, this.state) + 1013904223) >>> 0
    return this.state / 4294967296
  }

  /** Float32 values low + (high - low) * next(), computed in float64. */
  uniform(count: number, low: number, high: number): Float32Array {
    return Float32Array.from({ length: count }, () => low + (high - low) * this.next())
  }
}
