import { Command } from 'commander'

/** `setup`: what setup/main.cjs does before it starts any command; here are its options, for help and complaints. */
export function setupCommand(): Command {
  return new Command('setup')
    .description(
      'install npm packages, TensorFlow and JupyterLab, build the addon, and make the types of the library; what is done ' +
        'already is left',
    )
    .option('--cpu', "TensorFlow for the CPU, also where there is NVIDIA's driver")
    .option('--cuda', "TensorFlow for CUDA, also where there is no NVIDIA's driver")
}
