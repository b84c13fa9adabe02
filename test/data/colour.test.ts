import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { applyColour, chain, gain, reorder, saturate, turnHue } from '../../lib/data/colour'
import { allclose } from '../allclose'

const oracle = z
  .object({
    colours: z.array(z.number()),
    changes: z.array(z.object({ saturation: z.number(), hue: z.number(), colours: z.array(z.number()) })),
  })
  .parse(JSON.parse(readFileSync(join(__dirname, 'oracle', 'colour.json'), 'utf8')))

function changed(values: readonly number[], colour: Parameters<typeof applyColour>[3]): number[] {
  const array = Float32Array.from(values)
  applyColour(array, 0, array.length, colour)
  return [...array]
}

for (const { saturation, hue, colours } of oracle.changes) {
  test(`saturation times ${saturation}, hue plus ${hue} degrees in HSV, as OpenCV does it`, () => {
    const after = gain(1)
    allclose(changed(oracle.colours, { linear: gain(1), hsv: { saturation, hue, after } }), colours, {
      atol: 2e-5,
    })
  })
}

test('gain, offset and clamping', () => {
  allclose(changed([0.25, 0.5, 0.75], { linear: gain(2, -0.25) }), [0.25, 0.75, 1], { atol: 1e-6 })
})

test('linear saturation keeps grey and luma', () => {
  allclose(changed([0.4, 0.4, 0.4], { linear: saturate(0.3) }), [0.4, 0.4, 0.4], { atol: 1e-6 })
  // without saturation, red is the grey of its luma
  allclose(changed([1, 0, 0], { linear: saturate(0) }), [0.299, 0.299, 0.299], { atol: 1e-6 })
})

test('a hue turned by 120 degrees moves red to green; grey stays', () => {
  allclose(changed([0.9, 0.1, 0.2], { linear: turnHue(120) }), [0.2, 0.9, 0.1], { atol: 1e-6 })
  allclose(changed([0.6, 0.6, 0.6], { linear: turnHue(33) }), [0.6, 0.6, 0.6], { atol: 1e-6 })
})

test('chain applies the first, then the second; reorder picks channels', () => {
  // (0.2, 0.4, 0.6) * 0.5 + 0.1 = (0.2, 0.3, 0.4), then channels 2, 0, 1
  allclose(changed([0.2, 0.4, 0.6], { linear: chain(gain(0.5, 0.1), reorder([2, 0, 1])) }), [0.4, 0.2, 0.3], {
    atol: 1e-6,
  })
})
