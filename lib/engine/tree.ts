import { type Tensor, tf } from './native'

/** What a compiled function takes and returns: tensors, and arrays and objects of them. */
export type Tree = Tensor | readonly Tree[] | { readonly [name: string]: Tree }

/** The form of a tree: its tensors' indices in the list of leaves. */
export type Form = number | readonly Form[] | { readonly [name: string]: Form }

/**
 * The tensors of a tree, in the order of its arrays and objects, and its form.
 * @param what names the tree in errors
 * @throws Error naming the place of anything that is not a tensor
 */
export function flatten(tree: Tree, what: string): { leaves: Tensor[]; form: Form } {
  const leaves: Tensor[] = []
  const visit = (part: unknown, place: string): Form => {
    if (part instanceof tf.Tensor) {
      if (part.isDisposed) throw new Error(`${place}: expected a tensor, found one that was disposed of`)
      return leaves.push(part) - 1
    }
    if (Array.isArray(part)) return part.map((child, i) => visit(child, `${place}[${i}]`))
    if (isPlain(part)) {
      return Object.fromEntries(
        Object.entries(part).map(([name, child]) => [name, visit(child, `${place}.${name}`)]),
      )
    }
    // An async function also fails by itself, later; unhandled, that would end the process although this error was caught.
    if (part instanceof Promise) part.catch(() => {})
    throw new Error(`${place}: expected a tensor, or an array or object of tensors, found ${describe(part)}`)
  }
  return { form: visit(tree, what), leaves }
}

/** A tree of this form with other leaves. */
export function unflatten(form: Form, leaves: readonly Tensor[]): Tree {
  if (typeof form === 'number') return leaves[form]!
  if (isList(form)) return form.map((child) => unflatten(child, leaves))
  return Object.fromEntries(Object.entries(form).map(([name, child]) => [name, unflatten(child, leaves)]))
}

const isList = (form: Form): form is readonly Form[] => Array.isArray(form)

function isPlain(part: unknown): part is object {
  if (typeof part !== 'object' || part === null) return false
  const prototype: unknown = Object.getPrototypeOf(part)
  return prototype === Object.prototype || prototype === null
}

function describe(part: unknown): string {
  if (part instanceof Promise) return 'a promise: a recorded function cannot be asynchronous'
  if (typeof part === 'number') return `the number ${part}, which is tf.scalar(${part}) as a tensor`
  return typeof part === 'object' && part !== null ? part.constructor.name : String(part)
}
