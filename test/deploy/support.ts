/** Folders, frames and runtimes of the tests. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Dataset } from '../../lib/data'
import {
  FILE_DEFAULTS,
  type FileRequest,
  isInstalled,
  type ProofData,
  type RuntimeName,
} from '../../lib/deploy'
import { DEPLOY_COMMAND, DEPLOY_ENVIRONMENT } from '../../lib/deploy/runtimes'
import { tinyScenes } from '../train/tiny'

export const folder = mkdtempSync(join(tmpdir(), 'deploy-'))
after(() => rmSync(folder, { recursive: true, force: true }))
export const path = (name: string): string => join(folder, name)

let opened: Promise<Dataset> | undefined
/** A few scenes. */
export const scenes = (): Promise<Dataset> => {
  opened ??= tinyScenes(path('scenes'))
  return opened
}

export async function proofData(): Promise<ProofData> {
  const { splits, classes } = await scenes()
  return { samples: splits.validation!, classes }
}

export const request = (format: FileRequest['format'], options: Partial<FileRequest> = {}): FileRequest => ({
  ...FILE_DEFAULTS,
  ...options,
  format,
})

/** The sentence with which a test is skipped where its runtime is not there. */
export const without = (runtime: RuntimeName): string | false =>
  isInstalled(runtime) ? false : `${runtime} is not installed: ${DEPLOY_COMMAND}`

/** Runs a program of the optional Python environment; gives what it prints. */
export function python(...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(join(DEPLOY_ENVIRONMENT, 'bin/python'), words, {
    encoding: 'utf8',
    cwd: folder,
  })
  assert.equal(status, 0, stderr)
  return stdout
}
