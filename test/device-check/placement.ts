/** Finds where TensorFlow ran the operations of a graph, from its executor's log (TF_CPP_VMODULE=executor=1). */

export interface PlacedOperation {
  readonly operation: string
  readonly device: 'CPU' | 'GPU'
  /** Whether it computes with floating-point numbers; others pass values on, or compute shapes on the host. */
  readonly computes: boolean
}

/** Markers that a process writes to its error output around the run whose placement is requested. */
export const sectionStart = (name: string): string => `\n=== ${name}\n`
export const SECTION_END = '\n===\n'

const NODE =
  /Process node: \d+ step \d+ \{\{node [^}]*\}\} = (\w+)\[(.*?)\]\(.*\) device: \S*\/device:(CPU|GPU):\d+/
const FLOATING_POINT = /=DT_(FLOAT|HALF|BFLOAT16)\b/
/** Inputs, outputs, copies between devices, constants and handles. */
const BOOKKEEPING = /^(NoOp|Bitcast|_Arg|_Retval|_(Host)?(Send|Recv)|Const|VarHandleOp|Identity)$/

/** The operations of every section of a log. */
export function parsePlacement(log: string): Map<string, PlacedOperation[]> {
  const sections = new Map<string, PlacedOperation[]>()
  let current: PlacedOperation[] | undefined
  for (const line of log.split('\n')) {
    if (line.startsWith('===')) {
      const name = line.slice(4)
      current = name ? [] : undefined
      if (current) sections.set(name, current)
      continue
    }
    const [, operation, attributes = '', device] = NODE.exec(line) ?? []
    if (!operation || (device !== 'CPU' && device !== 'GPU')) continue
    const computes = FLOATING_POINT.test(attributes) && !BOOKKEEPING.test(operation)
    current?.push({ operation, device, computes })
  }
  return sections
}
