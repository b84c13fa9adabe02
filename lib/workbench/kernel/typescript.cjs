/**
 * tslab's TypeScript, as a copy whose functions can be replaced: tslab reads its compiler through getters that
 * cannot be replaced, so the module itself is. Load it before any other part of tslab.
 */
'use strict'

const file = require.resolve('@tslab/typescript-for-tslab', { paths: [require.resolve('tslab')] })
/** @type {{ -readonly [name in keyof typeof import('typescript')]: typeof import('typescript')[name] }} */
const ts = { ...require(file) }
const loaded = require.cache[file]
if (!loaded) throw new Error(`${file}: expected it to be loaded as CommonJS`)
loaded.exports = ts

module.exports = ts
