import { callSite } from './call-site'
import { type Tensor, tf } from './native'

/**
 * Runs `body` and refuses what a graph cannot repeat and what would otherwise go unnoticed: drawing random numbers (a graph
 * would repeat the same ones), assigning variables that the graph does not keep, and disposing of arguments.
 *
 * @param isKept whether a variable may be assigned
 * @throws Error naming the line that does it
 */
export function guarded<T>(
  { isKept, inputs }: { isKept: (variable: tf.Variable) => boolean; inputs: readonly Tensor[] },
  body: () => T,
): T {
  const { random } = Math
  const { dispose } = tf.Tensor.prototype
  const { assign } = tf.Variable.prototype
  Math.random = () => {
    throw new Error(
      'compile: a recorded function must not draw random numbers, which would be the same at every call, as ' +
        `${callSite(new Error())} does; give a seed if that is wanted, or pass them as an input`,
    )
  }
  tf.Variable.prototype.assign = function (this: tf.Variable, value) {
    if (!isKept(this)) {
      throw new Error(
        `compile: expected variable ${this.name} [${this.shape}] among \`state\`, since ${callSite(new Error())} assigns it; only ` +
          'variables in `state` keep their values between calls',
      )
    }
    assign.call(this, value)
  }
  tf.Tensor.prototype.dispose = function (this: Tensor) {
    if (inputs.includes(this)) {
      throw new Error(
        `compile: a recorded function must not dispose of its arguments, which ${callSite(new Error())} does; they belong ` +
          'to the caller',
      )
    }
    dispose.call(this)
  }
  try {
    return body()
  } finally {
    Math.random = random
    tf.Variable.prototype.assign = assign
    tf.Tensor.prototype.dispose = dispose
  }
}
