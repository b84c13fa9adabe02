/**
 * Prints the networks that general.py runs:
 *
 *     node --require tsx/cjs test/detector/oracle/general-networks.ts
 */
import { describeNetworks } from '../general'

console.log(JSON.stringify(describeNetworks()))
