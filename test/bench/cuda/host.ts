/** What the host does for a step, while the device computes the one before or waits for it. */
import { createLoader, generateScenes, scenesSchema } from '../../../lib/data'
import { headsOf } from '../../../lib/detector'
import { compile, pixelTensor, type Tensor, tf, unitPixels } from '../../../lib/engine'
import { assignTargets } from '../../../lib/losses'
import { loadProfile } from '../../../lib/study'
import { readProblem } from '../problem'
import type { Answer, Request } from '../protocol'
import { spread } from '../rounds'
import { createWork } from '../work'

/** Medians of CPU time (all threads of the process) and of wall time, in seconds. */
async function timed(repeats: number, body: (i: number) => unknown): Promise<{ cpu: number; wall: number }> {
  const [cpu, wall]: [number[], number[]] = [[], []]
  for (let i = 0; i < repeats; i++) {
    const [before, begin] = [process.cpuUsage(), performance.now()]
    await body(i)
    wall.push((performance.now() - begin) / 1000)
    const { user, system } = process.cpuUsage(before)
    cpu.push((user + system) / 1e6)
  }
  return { cpu: spread(cpu).median, wall: spread(wall).median }
}

/**
 * Times, with the frames and the augmentation of profile `paper` at the problem's size: making a batch (which in a training a
 * loader's threads do ahead), assigning its truths, feeding images and targets to a graph that scales the images and looks at
 * nothing else, and the whole training step of the problem's teacher, feeding included.
 */
export async function measureHost({
  file,
  cache,
  repeats,
  precision,
}: Extract<Request, { op: 'host' }>): Promise<Answer<'host'>> {
  const problem = readProblem(file)
  const [batch = 1, height = 0, width = 0] = problem.images.shape
  const { recipe } = loadProfile('paper')
  const work = createWork(problem, { network: 'teacher', kind: 'training', precision })
  const scenes = scenesSchema.parse({ splits: { train: batch }, width, height })
  const { splits } = await generateScenes(cache, scenes)
  // Every batch at full size, so that all of them take the same work.
  const augment = { ...recipe.augment, multiScale: false as const }
  const loader = createLoader(splits.train ?? [], { input: [height, width], batch, augment })
  const firstOf = (tensor: Tensor) => {
    const ones = tensor.shape.map(() => 1)
    return tf.sum(
      tf.slice(
        tensor,
        ones.map(() => 0),
        ones,
      ),
    )
  }
  const touch = compile((images: Tensor, targets: readonly Tensor[]) =>
    tf.addN([unitPixels(images as tf.Tensor4D), ...targets].map(firstOf)),
  )
  try {
    const { images, shape, truths } = await loader.batchAt(0)
    const load = await timed(Math.min(repeats, 5), (i) => loader.batchAt(1 + i))
    const heads = headsOf(problem.options.teacher)
    const { scales } = assignTargets(truths, heads, recipe.assign)
    const assign = await timed(repeats, () => assignTargets(truths, heads, recipe.assign))
    const feedOnce = () => {
      const inputs = [
        pixelTensor(images, shape),
        scales.map(({ data, shape: [...of] }) => tf.tensor5d(data, of)),
      ] as const
      const result = touch(...inputs)
      result.dataSync()
      tf.dispose([result, inputs[0], inputs[1]])
    }
    feedOnce()
    const feed = await timed(repeats, feedOnce)
    work.run()
    const step = await timed(repeats, () => work.run())
    const share = (assign.wall + feed.wall) / (assign.wall + step.wall)
    return { batch, input: [height, width], load, assign, feed, step, share }
  } finally {
    touch.dispose()
    work.dispose()
    await loader.close()
  }
}
