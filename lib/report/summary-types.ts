/** What the report is made from, and the study in numbers that it says. */

import type { SplitCounts } from '../data'
import type {
  Arm,
  BootstrapOptions,
  Interval,
  PairedDifference,
  Profile,
  Resolution,
  SelectionRow,
  Split,
  SweepFile,
  SweepResult,
} from '../study'
import type { Metrics, TrialResult } from '../trial'

/** A trial in which something of a method was varied. */
export interface Ablation {
  readonly method: string
  /** lambda as a multiple of the method's own, or the threshold. */
  readonly value: number
  readonly trial: TrialResult
}

export interface ReportInput {
  readonly profile: Profile
  readonly data: {
    readonly name: string
    readonly hash: string
    readonly ownData: boolean
    readonly classes: readonly string[]
    readonly splits: readonly SplitCounts[]
  }
  /** In the order in which tables list them. */
  readonly arms: readonly Arm[]
  readonly ablations?: { readonly lambda: readonly Ablation[]; readonly threshold: readonly Ablation[] }
  /** Side sweeps of this study, and the longer ones that come with the workbook. */
  readonly sweeps?: readonly SweepResult[]
  readonly shipped?: readonly SweepFile[]
  /** Trials that made the teacher and the student; none where they are shipped. */
  readonly preparation?: readonly TrialResult[]
  /** Default: the profile's. */
  readonly bootstrap?: BootstrapOptions
}

/** An arm on a split; means over its seeds. */
export interface SplitSummary {
  readonly images: number
  readonly seeds: readonly number[]
  readonly mAP50: Interval
  /** COCO's AP@[.5:.95]. */
  readonly AP: Interval
  readonly perClass: readonly { readonly name: string; readonly truths: number; readonly ap: number | null }[]
  readonly secondsPerImage: number
  /** mAP@0.5 of this arm minus that of the control at equal steps, of the control at equal compute, and of the teacher. */
  readonly toControl: PairedDifference | undefined
  readonly toCompute: PairedDifference | undefined
  readonly toTeacher: PairedDifference | undefined
  /** The same of COCO's AP. */
  readonly toControlAP: PairedDifference | undefined
  readonly toComputeAP: PairedDifference | undefined
  readonly toTeacherAP: PairedDifference | undefined
  /** MACs of the arm's training after the student (see `Metrics.training`), mean over the seeds; 0 without one. */
  readonly trainingMacs: number
}

/** What a distillation trial was weighted with. */
export interface TermSummary {
  readonly method: string
  readonly lambda: number
  /** Norm of the weighted distillation gradient over that of the ground truth's, at the start. */
  readonly ratio: number
  readonly cosine: number | null
  readonly threshold: number | undefined
}

export interface ArmSummary {
  readonly role: Arm['role']
  readonly name: string
  readonly complexity: Metrics['complexity']
  /** MACs over the teacher's. */
  readonly macsShare: number | undefined
  /** Of the first seed. */
  readonly terms: readonly TermSummary[]
  readonly validation: SplitSummary | undefined
  readonly test: SplitSummary | undefined
}

/** One setting of an ablation, or the method's own. */
export interface AblationSummary {
  readonly method: string
  readonly value: number
  readonly own: boolean
  readonly seed: number
  readonly term: TermSummary
  readonly mAP50: Interval
  readonly AP: Interval
  /** Against the control of the same seed. */
  readonly toControl: PairedDifference | undefined
}

/** A trial with the interval of its own mAP@0.5 and the place it has in the study. */
export interface TrialSummary {
  readonly arm: string
  readonly role: Arm['role'] | 'preparation' | 'ablation'
  readonly seed: number | undefined
  readonly mAP50: Interval | undefined
  readonly trial: TrialResult
}

export interface SelectionSummary {
  readonly rule: string
  readonly reason: string
  readonly table: readonly SelectionRow[]
  readonly chosen: { readonly name: string; readonly seed: number; readonly weights: string } | undefined
}

export interface StudySummary {
  readonly profile: Profile
  readonly data: ReportInput['data']
  readonly bootstrap: Required<BootstrapOptions>
  readonly arms: readonly ArmSummary[]
  readonly lambda: readonly AblationSummary[]
  readonly threshold: readonly AblationSummary[]
  readonly selection: SelectionSummary | undefined
  /** Of method - control: which difference this study could show, and what one point would take. */
  readonly resolution: (Resolution & { readonly method: string; readonly split: Split }) | undefined
  readonly trials: readonly TrialSummary[]
}
