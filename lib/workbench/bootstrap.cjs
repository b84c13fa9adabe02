#!/usr/bin/env node
/**
 * Entry point of every npm script: sets the project up as far as needed, then runs the command.
 * The syntax here is limited to what old versions of Node can read, so that they can report what is wrong.
 */
'use strict'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19) || major > 26) {
  console.error(
    `This project needs Node 20.19 or newer, below 27, and found ${process.versions.node} (${process.execPath}).\n` +
      'Install Node 24, for example:  nvm install 24    or    conda install -c conda-forge nodejs=24',
  )
  process.exit(1)
}
require('./setup/main.cjs').main(process.argv.slice(2))
