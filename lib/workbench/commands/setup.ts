import { Command } from 'commander'
import { interruptSignal } from '../../base'
import { DEPLOY_ENVIRONMENT, DEPLOY_PACKAGES } from '../../deploy/runtimes'
import { pythonProgram } from '../project'
import { ensureVenv } from '../venv'

/** `setup`: what setup/main.cjs does before it starts any command; here are its options, for help and complaints, and the optional set. */
export function setupCommand(): Command {
  return new Command('setup')
    .description(
      'install npm packages, TensorFlow and JupyterLab, build the addon, and generate the types of the library; ' +
        'skips what is already done',
    )
    .option('--cpu', "TensorFlow for the CPU, even if NVIDIA's driver is present")
    .option('--cuda', "TensorFlow for CUDA, even if NVIDIA's driver is absent")
    .option(
      '--deploy',
      'also what exported models are checked and timed with: ONNX Runtime, OpenVINO, OpenCV, LiteRT (450 MB)',
    )
    .action(async ({ deploy = false }: { deploy?: boolean }) => {
      if (!deploy) return
      await ensureVenv({
        prefix: DEPLOY_ENVIRONMENT,
        list: DEPLOY_PACKAGES,
        python: pythonProgram('python'),
        title: 'ONNX Runtime, OpenVINO, OpenCV and LiteRT; 450 MB',
        otherwise: 'models are exported without it, and their files are then not verified',
        signal: interruptSignal(),
      })
    })
}
