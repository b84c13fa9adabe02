import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Html, trusted } from './html'

/** The style sheet of every page, as it stands within <style>. */
export const pageStyle = (): Html => trusted(readFileSync(join(__dirname, 'page.css'), 'utf8'))
