/** What an arm is compared with: its paired differences in the summary, and what the other side is called. */
export const REFERENCES = {
  control: { mAP50: 'toControl', AP: 'toControlAP', name: 'the control' },
  compute: { mAP50: 'toCompute', AP: 'toComputeAP', name: 'the control at equal compute' },
  teacher: { mAP50: 'toTeacher', AP: 'toTeacherAP', name: 'the teacher' },
} as const

export type ComparedWith = keyof typeof REFERENCES

/** What tables and figures call the two measures; see `Metric`. */
export const METRIC_NAMES = { mAP50: 'mAP@0.5', AP: 'COCO AP' } as const
