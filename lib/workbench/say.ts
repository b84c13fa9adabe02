/** What commands print for people: names from data and files from outside act on no terminal. */
import { forTerminal } from '../base/escape'

/** Prints a text, of one line or several, as a command's result. */
export function say(text: string): void {
  console.log(forTerminal(text))
}

/** Prints a text beside the result. */
export function note(text: string): void {
  console.error(forTerminal(text))
}
