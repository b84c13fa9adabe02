import { readWhole } from '../../base'
import type { Weights } from '../detector'
import { type DarknetCfg, parseCfg } from './cfg'
import { fromDarknet } from './convert'
import { decodeWeights } from './weights'

/** Largest files in bytes: a cfg has some thousand lines; yolov3.weights is a quarter of a GB. */
const [MOST_CFG, MOST_WEIGHTS] = [2 ** 20, 2 ** 31 - 1]

/** A network from Darknet's files. */
export interface DarknetModel extends DarknetCfg {
  readonly weights: Weights
  /** Images that it was trained on. */
  readonly seen: bigint
  /** Names of the layers that the weights file says nothing of, since it ends early: they have their initial values. */
  readonly initial: readonly string[]
}

/**
 * Reads a cfg file and the weights file that belongs to it, or the first part of one.
 *
 * @param seed of the initial values of what the weights file does not hold
 * @throws Error naming file, line and key, or file and layer, of what cannot be read
 */
export function readDarknet(cfgFile: string, weightsFile: string, seed = 1): DarknetModel {
  const cfg = parseCfg(readWhole(cfgFile, MOST_CFG).toString('utf8'), cfgFile)
  const decoded = decodeWeights(readWhole(weightsFile, MOST_WEIGHTS), cfg.network, {
    file: weightsFile,
    cfg: cfgFile,
  })
  return { ...cfg, ...fromDarknet(cfg.network, decoded, seed), seen: decoded.seen }
}
