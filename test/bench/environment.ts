/** The benchmark's own Python environment: .cache/bench-venv, made at first use from requirements.txt. */
import { join } from 'node:path'
import { ensureVenv } from '../../lib/workbench/venv'

/**
 * The Python with everything in requirements.txt.
 *
 * @param python creates the environment
 * @throws Error with the end of pip's output when something cannot be installed
 */
export async function benchPython(cache: string, python: string, signal: AbortSignal): Promise<string> {
  const programs = await ensureVenv({
    prefix: join(cache, 'bench-venv'),
    list: join(__dirname, 'requirements.txt'),
    python,
    title: 'PyTorch and pycocotools; about 1 GB for the CPU, more where pip chooses CUDA',
    otherwise: 'other parts run without it:  npx workbook bench --parts stages',
    signal,
  })
  return join(programs, 'python')
}
