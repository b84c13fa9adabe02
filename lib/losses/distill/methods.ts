/** The distillation methods, one line each; their numbers are their order. */
export { channelKd } from './channel-kd'
export { classKd } from './class-kd'
export { dist } from './dist'
export { featureCosine } from './feature-cosine'
export { featureMse } from './feature-mse'
export { maskedClassKd } from './masked-class-kd'
export { objectnessMse } from './objectness-mse'
export { outputKd } from './output-kd'
