/** Weight (lambda) and options of the five methods as published; every default comes from here. */
export const PUBLISHED = {
  'output-kd': { weight: 10, temperature: 1, scaleByTemperatureSquared: false },
  'class-kd': { weight: 1, temperature: 1, scaleByTemperatureSquared: false },
  'masked-class-kd': { weight: 1, temperature: 1, scaleByTemperatureSquared: false, threshold: 0.05 },
  'objectness-mse': { weight: 10, variant: 'mse' },
  'feature-mse': { weight: 2 },
} as const

export type MethodName = keyof typeof PUBLISHED
