/** A network as ONNX nodes: body and head. */
import type { Detections, HeadFormat, SuppressionSizes, Values } from '../format'
import { OnnxBody } from './body'
import { TYPE } from './model'
import type { OnnxReference } from './nodes'

/** Writes body and head. */
export class OnnxWriter extends OnnxBody implements HeadFormat<OnnxReference> {
  /** Logits [n, c, h, w] as slots by row, column, anchor. */
  slots(logits: OnnxReference, slots: number, width: number): OnnxReference {
    const last = this.node('head/rows', 'Transpose', [logits.name], { perm: [0, 2, 3, 1] })
    return this.reshaped('head/slots', last, [-1, slots, width])
  }

  columns(x: OnnxReference, begin: number, width: number): OnnxReference {
    const [from, to, axis] = [[begin], [begin + width], [2]].map((list) => this.integers('head/slice', list))
    return this.node('head/columns', 'Slice', [x.name, from!, to!, axis!])
  }

  sigmoid(x: OnnxReference): OnnxReference {
    return this.node('head/sigmoid', 'Sigmoid', [x.name])
  }

  exp(x: OnnxReference): OnnxReference {
    return this.node('head/exp', 'Exp', [x.name])
  }

  atMost(x: OnnxReference, limit: number): OnnxReference {
    return this.node('head/minimum', 'Min', [x.name, this.operand(limit)])
  }

  add(a: OnnxReference, b: OnnxReference | Values): OnnxReference {
    return this.node('head/add', 'Add', [a.name, this.operand(b)])
  }

  subtract(a: OnnxReference, b: OnnxReference): OnnxReference {
    return this.node('head/subtract', 'Sub', [a.name, b.name])
  }

  multiply(a: OnnxReference, b: OnnxReference | Values): OnnxReference {
    return this.node('head/multiply', 'Mul', [a.name, this.operand(b)])
  }

  join(values: readonly OnnxReference[], axis: 1 | 2): OnnxReference {
    return this.node(
      'head/join',
      'Concat',
      values.map(({ name }) => name),
      { axis },
    )
  }

  above(x: OnnxReference, threshold: number, orEqual: boolean): OnnxReference {
    const operation = orEqual ? 'GreaterOrEqual' : 'Greater'
    return this.cast(this.node('head/above', operation, [x.name, this.operand(threshold)]), TYPE.float32)
  }

  largest(x: OnnxReference, count: number): OnnxReference {
    return this.topK(this.squeezed(x, 2), count).indices
  }

  pick(x: OnnxReference, chosen: OnnxReference, width: number): OnnxReference {
    const column = this.node('head/column', 'Unsqueeze', [chosen.name, this.integers('head/axis', [2])])
    const rows = this.node('head/rows', 'Expand', [column.name, this.integers('head/wide', [1, 1, width])])
    return this.node('head/pick', 'GatherElements', [x.name, rows.name], { axis: 1 })
  }

  /**
   * ONNX's NonMaxSuppression lists the kept (image, class, slot); their scores are put back in their places among zeros, and
   * the best of an image's are found anew, so that every output has the same length.
   */
  suppress(
    boxes: OnnxReference,
    scores: OnnxReference,
    { slots, classes, limit, iou }: SuppressionSizes,
  ): Detections<OnnxReference> {
    const byClass = this.node('nms/classes', 'Transpose', [scores.name], { perm: [0, 2, 1] })
    const kept = this.node('nms/kept', 'NonMaxSuppression', [
      boxes.name,
      byClass.name,
      this.integers('nms/limit', [limit]),
      this.floats('nms/iou', [1], [iou]),
      this.floats('nms/lowest', [1], [0]),
    ])
    const found = this.node('nms/scores', 'GatherND', [byClass.name, kept.name])
    const zeros = this.multiply(byClass, 0)
    const placed = this.node('nms/placed', 'ScatterND', [zeros.name, kept.name, found.name])
    const best = this.topK(this.reshaped('nms/flat', placed, [-1, classes * slots]), limit)
    const divisor = this.integers('nms/slots', [slots])
    const labels = this.node('nms/labels', 'Div', [best.indices.name, divisor])
    const places = this.node('nms/places', 'Mod', [best.indices.name, divisor])
    const present = this.above(best.values, 0, false)
    const mask = this.node('nms/mask', 'Unsqueeze', [present.name, this.integers('nms/axis', [2])])
    const counts = this.node('nms/sum', 'ReduceSum', [present.name, this.integers('nms/axis', [1])], {
      keepdims: 0,
    })
    return {
      boxes: this.multiply(this.pick(boxes, places, 4), mask),
      scores: best.values,
      labels: this.multiply(this.cast(labels, TYPE.float32), present),
      counts: this.cast(counts, TYPE.int32),
    }
  }

  private operand(value: OnnxReference | Values): string {
    if (typeof value === 'number') return this.floats('head/constant', [], [value])
    return 'name' in value ? value.name : this.floats('head/constants', value.shape, value.values)
  }

  private squeezed(x: OnnxReference, axis: number): OnnxReference {
    return this.node('head/flat', 'Squeeze', [x.name, this.integers('head/axis', [axis])])
  }

  private topK(x: OnnxReference, count: number): { values: OnnxReference; indices: OnnxReference } {
    const inputs = [x.name, this.integers('head/count', [count])]
    const [values, indices] = this.outputs('head/largest', 'TopK', inputs, { axis: 1 }, 2)
    return { values: { name: values! }, indices: { name: indices! } }
  }
}
