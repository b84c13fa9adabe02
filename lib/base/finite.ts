/** A number within a document that is NaN or infinite. */
export interface Infinite {
  readonly path: readonly (string | number)[]
  readonly value: number
}

interface Place {
  readonly value: unknown
  readonly key: string | number
  readonly within: Place | undefined
}

/** The numbers of a document that are not finite, with the path to each; no setting means anything with one. */
export function infinities(document: unknown): Infinite[] {
  const found: Infinite[] = []
  const left: Place[] = [{ value: document, key: '', within: undefined }]
  // No recursion, for a document may be nested deeply; YAML's aliases lead to the same object again, or round in a circle.
  const seen = new Set<unknown>()
  for (let place = left.pop(); place; place = left.pop()) {
    const { value } = place
    if (typeof value === 'number' && !Number.isFinite(value)) found.push({ path: pathOf(place), value })
    if (!(value instanceof Object) || seen.has(value)) continue
    seen.add(value)
    const entries = Array.isArray(value) ? value.entries() : Object.entries(value)
    for (const [key, inner] of entries) left.push({ value: inner, key, within: place })
  }
  return found.reverse()
}

function pathOf(place: Place): (string | number)[] {
  const path: (string | number)[] = []
  for (let at: Place | undefined = place; at?.within; at = at.within) path.unshift(at.key)
  return path
}
