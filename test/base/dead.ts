import { spawnSync } from 'node:child_process'
import { hostname } from 'node:os'

/** The id of a process that has ended. */
export const deadProcess = (): number => spawnSync(process.execPath, ['--version']).pid

/** What follows the name of a file that such a process has left half-written. */
export const deadEnding = (): string => `.${deadProcess()}-1@${hostname()}.aabbccdd.tmp`
