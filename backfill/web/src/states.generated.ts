// Made by backfill/web/generate.py from the Python code.

export const BOX_STATUSES = ["missing", "queued", "running", "retrying", "succeeded", "failed", "skipped", "canceled", "blocked", "removed"] as const
export type BoxStatus = (typeof BOX_STATUSES)[number]

export const RUN_STATES = ["pending", "queued", "running", "succeeded", "failed", "canceled", "skipped"] as const
export type RunState = (typeof RUN_STATES)[number]

export const STEP_STATES = ["running", "retrying", "succeeded", "failed", "skipped", "canceled"] as const
export type StepState = (typeof STEP_STATES)[number]

export const BACKFILL_STATES = ["requested", "running", "paused", "canceling", "succeeded", "failed", "canceled"] as const
export type BackfillState = (typeof BACKFILL_STATES)[number]

export const ATTEMPT_ENDS = ["succeeded", "failed", "lost", "released", "canceled"] as const
export type AttemptEnd = (typeof ATTEMPT_ENDS)[number]

export const SCHEDULE_STATES = ["running", "stopped"] as const
export type ScheduleState = (typeof SCHEDULE_STATES)[number]

export const TICK_STATES = ["started", "success", "skipped", "failure"] as const
export type TickState = (typeof TICK_STATES)[number]

export const SELECTION_WORDS = ["all", "blocked", "canceled", "failed", "missing", "running", "stale", "succeeded"] as const
export type SelectionWord = (typeof SELECTION_WORDS)[number]

export const SELECTION_PREFIXES = ["last:", "dow:", "month:", "older:"] as const
export type SelectionPrefix = (typeof SELECTION_PREFIXES)[number]

export const ROLES = ["viewer", "operator", "admin"] as const
export type Role = (typeof ROLES)[number]

export const RUN_FINAL: ReadonlySet<string> = new Set(["canceled", "failed", "skipped", "succeeded"])

export const RUN_ACTIVE: ReadonlySet<string> = new Set(["queued", "running"])

export const STEP_FINAL: ReadonlySet<string> = new Set(["canceled", "failed", "skipped", "succeeded"])

export const BACKFILL_FINAL: ReadonlySet<string> = new Set(["canceled", "failed", "succeeded"])

/** How a state is shown; colours are [light, dark], `sign` is an SVG path in a box of 16 x 16. */
export interface Look {
  readonly word: string
  readonly fill: readonly [string, string] | null
  readonly ink: readonly [string, string]
  readonly sign: string
  readonly sentence: string
  readonly dashed: boolean
}

export const LOOKS = {
  "blocked": {
    "word": "blocked",
    "fill": [
      "#6a3fb5",
      "#b697f5"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M12 8 A4 4 0 1 1 4 8 A4 4 0 1 1 12 8 M5.2 10.8 L10.8 5.2",
    "sentence": "must not run",
    "dashed": false
  },
  "canceled": {
    "word": "canceled",
    "fill": [
      "#6a6f78",
      "#a3a8b0"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M5.6 5.6 L10.4 5.6 L10.4 10.4 L5.6 10.4 Z",
    "sentence": "given up",
    "dashed": false
  },
  "canceling": {
    "word": "canceling",
    "fill": null,
    "ink": [
      "#5f646d",
      "#b3b8c0"
    ],
    "sign": "M5.6 5.6 L10.4 5.6 L10.4 10.4 L5.6 10.4 Z",
    "sentence": "is being given up",
    "dashed": false
  },
  "failed": {
    "word": "failed",
    "fill": [
      "#c8321f",
      "#ff7a66"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M5 5 L11 11 M11 5 L5 11",
    "sentence": "did not do its work",
    "dashed": false
  },
  "failure": {
    "word": "failure",
    "fill": [
      "#c8321f",
      "#ff7a66"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M5 5 L11 11 M11 5 L5 11",
    "sentence": "failed",
    "dashed": false
  },
  "lost": {
    "word": "lost",
    "fill": [
      "#8d3b7a",
      "#e08fce"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M9 3.8 L5.6 8.6 L10.4 7.6 L7 12.2",
    "sentence": "its worker vanished",
    "dashed": false
  },
  "missing": {
    "word": "missing",
    "fill": null,
    "ink": [
      "#8490a0",
      "#66727f"
    ],
    "sign": "",
    "sentence": "never run",
    "dashed": false
  },
  "paused": {
    "word": "paused",
    "fill": [
      "#b35c00",
      "#f0a53a"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M6.2 5 L6.2 11 M9.8 5 L9.8 11",
    "sentence": "starts nothing",
    "dashed": false
  },
  "pending": {
    "word": "pending",
    "fill": null,
    "ink": [
      "#5b6b80",
      "#93a3b5"
    ],
    "sign": "M4.6 8 L4.7 8 M8 8 L8.1 8 M11.3 8 L11.4 8",
    "sentence": "waits to be admitted",
    "dashed": false
  },
  "queued": {
    "word": "queued",
    "fill": [
      "#6d87a8",
      "#8aa4c4"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M8 7.6 L8 8.4",
    "sentence": "waits for a worker",
    "dashed": false
  },
  "released": {
    "word": "released",
    "fill": [
      "#6d87a8",
      "#8aa4c4"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M4.8 8 L11.2 8",
    "sentence": "handed back",
    "dashed": false
  },
  "removed": {
    "word": "removed",
    "fill": null,
    "ink": [
      "#8490a0",
      "#66727f"
    ],
    "sign": "M5 5 L11 11 M11 5 L5 11",
    "sentence": "left the set",
    "dashed": true
  },
  "requested": {
    "word": "requested",
    "fill": null,
    "ink": [
      "#5b6b80",
      "#93a3b5"
    ],
    "sign": "M4.6 8 L4.7 8 M8 8 L8.1 8 M11.3 8 L11.4 8",
    "sentence": "is being expanded",
    "dashed": false
  },
  "retrying": {
    "word": "retrying",
    "fill": [
      "#b35c00",
      "#f0a53a"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M11.4 6.2 A4 4 0 1 0 12 9 M11.8 3.6 L11.6 6.6 L8.8 6.2",
    "sentence": "is tried again",
    "dashed": false
  },
  "running": {
    "word": "running",
    "fill": [
      "#1f6fd6",
      "#5aa2ff"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M6.2 4.8 L11 8 L6.2 11.2 Z",
    "sentence": "is being worked on",
    "dashed": false
  },
  "skipped": {
    "word": "skipped",
    "fill": [
      "#b9c2cd",
      "#4a5562"
    ],
    "ink": [
      "#2c3643",
      "#dfe6ee"
    ],
    "sign": "M4.8 8 L11.2 8",
    "sentence": "left out",
    "dashed": false
  },
  "started": {
    "word": "started",
    "fill": [
      "#1f6fd6",
      "#5aa2ff"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M6.2 4.8 L11 8 L6.2 11.2 Z",
    "sentence": "is being handled",
    "dashed": false
  },
  "stopped": {
    "word": "stopped",
    "fill": null,
    "ink": [
      "#5f646d",
      "#b3b8c0"
    ],
    "sign": "M6.2 5 L6.2 11 M9.8 5 L9.8 11",
    "sentence": "does not tick",
    "dashed": false
  },
  "succeeded": {
    "word": "succeeded",
    "fill": [
      "#1a8553",
      "#3fb27f"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M4.2 8.4 L7 11.2 L11.8 5.2",
    "sentence": "did its work",
    "dashed": false
  },
  "success": {
    "word": "success",
    "fill": [
      "#1a8553",
      "#3fb27f"
    ],
    "ink": [
      "#ffffff",
      "#10151c"
    ],
    "sign": "M4.2 8.4 L7 11.2 L11.8 5.2",
    "sentence": "made its runs",
    "dashed": false
  }
} satisfies Record<string, Look>

export type AnyState = keyof typeof LOOKS
