import { readFileSync } from 'node:fs'
import { type DarknetCfg, parseCfg } from './cfg'
import { type DarknetWeights, decodeWeights } from './weights'

/** Reads a cfg file and the weights file that belongs to it. */
export function readDarknet(
  cfgFile: string,
  weightsFile: string,
): { cfg: DarknetCfg; weights: DarknetWeights } {
  const cfg = parseCfg(readFileSync(cfgFile, 'utf8'), cfgFile)
  return { cfg, weights: decodeWeights(readFileSync(weightsFile), cfg, weightsFile) }
}
