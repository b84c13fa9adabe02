/**
 * The TypeScript that tslab brings along, as a copy whose functions can be replaced: tslab reads its compiler through
 * getters that cannot be, so the module itself is. Load it before any other part of tslab.
 */
'use strict'

const file = require.resolve('@tslab/typescript-for-tslab', { paths: [require.resolve('tslab')] })
const ts = { ...require(file) }
require.cache[file].exports = ts

module.exports = ts
