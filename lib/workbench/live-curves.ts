/** The figure of accuracy over steps that grows in a notebook while its cell trains. */
import { join } from 'node:path'
import { plotlyFigure } from '../base'
import { validationFigure } from '../report'
import { readValidation, type TrialConfig, trialFolder } from '../trial'
import { inNotebook, publish } from './display'

let figures = 0

/** One figure of the trials that a cell runs; outside of notebooks it does nothing. */
export class LiveCurves {
  readonly #runs: string
  readonly #id = `curves-${process.pid}-${++figures}`
  /** By trial: its name, and the last step that is drawn. */
  readonly #drawn = new Map<TrialConfig, { readonly name: string; readonly step: number }>()
  #shown = false

  /** @param runs folder of the trials */
  constructor(runs: string) {
    this.#runs = runs
  }

  /** Draws a trial's curve anew if it was evaluated since. */
  update(trial: TrialConfig, name: string, step: number | undefined): void {
    if (!inNotebook() || step === undefined || this.#drawn.get(trial)?.step === step) return
    this.#drawn.set(trial, { name, step })
    const curves = [...this.#drawn].map(([drawn, { name }]) => ({
      name,
      rows: readValidation(join(this.#runs, trialFolder(drawn))),
    }))
    const figure = validationFigure(curves)
    if (figure.data.length === 0) return
    const text = curves.map(({ name, rows }) => `${name}: mAP@0.5 ${rows.at(-1)?.mAP50.toFixed(3)}`)
    publish(
      { 'application/vnd.plotly.v1+json': plotlyFigure(figure), 'text/plain': text.join('; ') },
      { id: this.#id, update: this.#shown },
    )
    this.#shown = true
  }
}
