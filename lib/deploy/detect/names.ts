/** Classes of models and truth as one list: the same name is the same class. */

export interface ClassNaming {
  /** Names of a model's classes that mean others here: "person" -> "pedestrian". */
  readonly rename?: ReadonlyMap<string, string>
  /** The only classes that are kept, after renaming; all where absent. */
  readonly only?: readonly string[]
}

export interface JoinedClasses {
  readonly classes: readonly string[]
  /** For each list: its labels in `classes`, -1 for one that is left out. */
  readonly models: readonly (readonly number[])[]
  readonly truth: readonly number[]
}

/**
 * Joins the class lists of models, renamed, and of the truth, which keeps its names.
 * @throws Error naming a class that is renamed or kept and that nothing has
 */
export function joinClasses(
  models: readonly (readonly string[])[],
  truth: readonly string[],
  { rename = new Map(), only }: ClassNaming = {},
): JoinedClasses {
  const known = new Set(models.flat())
  for (const from of rename.keys())
    if (!known.has(from))
      throw new Error(`rename ${from}: expected one of ${[...known].join(', ')}, found no such class`)
  const renamed = models.map((names) => names.map((name) => rename.get(name) ?? name))
  const all = [...new Set([...renamed.flat(), ...truth])]
  const unknown = only?.find((name) => !all.includes(name))
  if (unknown !== undefined)
    throw new Error(`only ${unknown}: expected one of ${all.join(', ')}, found no such class`)
  const classes = only ? all.filter((name) => only.includes(name)) : all
  const place = (names: readonly string[]) => names.map((name) => classes.indexOf(name))
  return { classes, models: renamed.map(place), truth: place(truth) }
}

/** Boxes with their labels in the joined list; those of classes that are left out are gone. */
export function relabel<B extends { readonly label: number }>(
  boxes: readonly B[],
  labels: readonly number[],
): B[] {
  return boxes.flatMap((box) => {
    const label = labels[box.label] ?? -1
    return label < 0 ? [] : [{ ...box, label }]
  })
}
