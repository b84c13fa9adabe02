import { chapterOutputs, chaptersOf } from './chapters'
import { publish } from './display'
import { askedOut } from './study-settings'

/** Shows the chapters of the workbook with their questions, and the answers and pictures of what has been run. */
export function showChapters(): void {
  for (const bundle of chapterOutputs(chaptersOf(askedOut()))) publish(bundle)
}
