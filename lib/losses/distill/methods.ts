/**
 * The distillation methods, one line each, in the order of their numbers. To add one, write a file with `defineMethod` and
 * a line here: profiles, sweeps, checks, notebooks and figures then know it.
 */
export { channelKd } from './channel-kd'
export { classKd } from './class-kd'
export { dist } from './dist'
export { featureCosine } from './feature-cosine'
export { featureMse } from './feature-mse'
export { maskedClassKd } from './masked-class-kd'
export { objectnessMse } from './objectness-mse'
export { outputKd } from './output-kd'
