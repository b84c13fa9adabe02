/**
 * The distillation methods, one line each; their numbers are their order. Whoever adds one writes a file with `defineMethod`
 * and its line here: profiles, sweeps, checks, notebooks and figures know it then.
 */
export { channelKd } from './channel-kd'
export { classKd } from './class-kd'
export { dist } from './dist'
export { featureCosine } from './feature-cosine'
export { featureMse } from './feature-mse'
export { maskedClassKd } from './masked-class-kd'
export { objectnessMse } from './objectness-mse'
export { outputKd } from './output-kd'
