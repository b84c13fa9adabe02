/** What is written. */
export const OUTPUTS = ['pictures', 'page', 'coco', 'yolo', 'csv'] as const
export type Output = (typeof OUTPUTS)[number]
