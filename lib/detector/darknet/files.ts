import { readFileSync } from 'node:fs'
import type { Weights } from '../detector'
import { type DarknetCfg, parseCfg } from './cfg'
import { fromDarknet } from './convert'
import { decodeWeights } from './weights'

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
  const cfg = parseCfg(readFileSync(cfgFile, 'utf8'), cfgFile)
  const decoded = decodeWeights(readFileSync(weightsFile), cfg.network, { file: weightsFile, cfg: cfgFile })
  return { ...cfg, ...fromDarknet(cfg.network, decoded, seed), seen: decoded.seen }
}
