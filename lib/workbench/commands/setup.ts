import { Command } from 'commander'

/** `setup`: setup/main.cjs does the work before any command starts; this only defines the options, for help and errors. */
export function setupCommand(): Command {
  return new Command('setup')
    .description(
      'install npm packages, TensorFlow and JupyterLab, build the addon, and generate the types of the library; ' +
        'skips what is already done',
    )
    .option('--cpu', "TensorFlow for the CPU, even if NVIDIA's driver is present")
    .option('--cuda', "TensorFlow for CUDA, even if NVIDIA's driver is absent")
}
