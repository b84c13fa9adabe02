/** A network as TensorFlow's graph nodes, from which a SavedModel, a TF.js graph model and a TFLite file are made. */
import { attribute, firstOutput, type NodeOutput } from '../../engine'
import type { Detections, HeadFormat, SuppressionSizes, Values } from '../format'
import { TensorFlowBody } from './body'
import { FLOAT } from './nodes'

/** Writes body and head. */
export class TensorFlowGraph extends TensorFlowBody implements HeadFormat<NodeOutput> {
  floating(logits: NodeOutput): NodeOutput {
    return logits
  }

  slots(logits: NodeOutput, slots: number, width: number): NodeOutput {
    return this.reshaped('head/slots', logits, [-1, slots, width])
  }

  columns(x: NodeOutput, begin: number, width: number): NodeOutput {
    const [from, size] = [
      this.integers('head/begin', [0, 0, begin]),
      this.integers('head/size', [-1, -1, width]),
    ]
    return this.node('head/columns', 'Slice', [x, from, size], [FLOAT, attribute.type('Index', 'int32')])
  }

  sigmoid(x: NodeOutput): NodeOutput {
    return this.node('head/sigmoid', 'Sigmoid', [x], [FLOAT])
  }

  exp(x: NodeOutput): NodeOutput {
    return this.node('head/exp', 'Exp', [x], [FLOAT])
  }

  atMost(x: NodeOutput, limit: number): NodeOutput {
    return this.node('head/minimum', 'Minimum', [x, this.scalar('head/limit', limit)], [FLOAT])
  }

  add(a: NodeOutput, b: NodeOutput | Values): NodeOutput {
    return this.node('head/add', 'AddV2', [a, this.operand(b)], [FLOAT])
  }

  subtract(a: NodeOutput, b: NodeOutput): NodeOutput {
    return this.node('head/subtract', 'Sub', [a, b], [FLOAT])
  }

  multiply(a: NodeOutput, b: NodeOutput | Values): NodeOutput {
    return this.node('head/multiply', 'Mul', [a, this.operand(b)], [FLOAT])
  }

  join(values: readonly NodeOutput[], axis: 1 | 2): NodeOutput {
    return this.joined('head/join', values, axis)
  }

  above(x: NodeOutput, threshold: number, orEqual: boolean): NodeOutput {
    const limit = this.scalar('head/threshold', threshold)
    const holds = this.node('head/above', orEqual ? 'GreaterEqual' : 'Greater', [x, limit], [FLOAT])
    return this.cast(holds, 'bool', 'float32')
  }

  largest(x: NodeOutput, count: number): NodeOutput {
    return this.sorted(
      this.node('head/flat', 'Squeeze', [x], [FLOAT, attribute.int('squeeze_dims', [2])]),
      count,
    ).indices
  }

  pick(x: NodeOutput, chosen: NodeOutput): NodeOutput {
    const attributes = [
      attribute.int('batch_dims', 1),
      attribute.type('Tparams', 'float32'),
      attribute.type('Tindices', 'int32'),
      attribute.type('Taxis', 'int32'),
    ]
    return this.node('head/pick', 'GatherV2', [x, chosen, this.integers('head/axis', 1)], attributes)
  }

  /**
   * TensorFlow's own kernel takes equal scores in any order, so it is given ranks, as `nonMaxSuppression` does: `order` holds the
   * places by score, its inverse the position of every place.
   */
  suppress(
    boxes: NodeOutput,
    scores: NodeOutput,
    { slots, classes, limit, iou }: SuppressionSizes,
  ): Detections<NodeOutput> {
    const total = slots * classes
    const { values: sorted, indices: order } = this.sorted(
      this.reshaped('nms/flat', scores, [-1, total]),
      total,
    )
    const descending = this.node('nms/descending', 'Neg', [order], [attribute.type('T', 'int32')])
    const positions = this.cast(this.sorted(descending, total, 'int32').indices, 'int32', 'float32')
    const ranks = this.subtract(this.scalar('nms/total', total), positions)
    const numbered = this.multiply(
      this.reshaped('nms/ranks', ranks, [-1, slots, classes]),
      this.above(scores, 0, false),
    )
    const axis = this.integers('nms/axis', 2)
    const expanded = this.node(
      'nms/boxes',
      'ExpandDims',
      [boxes, axis],
      [FLOAT, attribute.type('Tdim', 'int32')],
    )
    const most = this.integers('nms/limit', limit)
    const kernel = this.node(
      'nms/kernel',
      'CombinedNonMaxSuppression',
      [expanded, numbered, most, most, this.scalar('nms/iou', iou), this.scalar('nms/zero', 0)],
      [attribute.bool('pad_per_class', false), attribute.bool('clip_boxes', false)],
    )
    const output = (index: number): NodeOutput => ({ node: kernel.node, index })
    const behind = this.subtract(this.scalar('nms/total', total), output(1))
    const from = this.cast(this.atMost(behind, total - 1), 'float32', 'int32')
    const column = this.node(
      'nms/sorted',
      'ExpandDims',
      [sorted, axis],
      [FLOAT, attribute.type('Tdim', 'int32')],
    )
    const found = this.reshaped('nms/found', this.pick(column, from), [-1, limit])
    return {
      boxes: output(0),
      scores: this.multiply(found, this.above(output(1), 0, false)),
      labels: output(2),
      counts: output(3),
    }
  }

  private sorted(x: NodeOutput, count: number, type: 'float32' | 'int32' = 'float32') {
    const attributes = [attribute.bool('sorted', true), attribute.type('T', type)]
    const { node } = this.node('head/sorted', 'TopKV2', [x, this.integers('head/count', count)], attributes)
    return { values: firstOutput(node), indices: { node, index: 1 } }
  }

  private operand(value: NodeOutput | Values): NodeOutput {
    if (typeof value === 'number') return this.scalar('head/constant', value)
    return 'node' in value ? value : this.floats('head/constants', value.shape, value.values)
  }
}
