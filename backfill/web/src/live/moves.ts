/** What a stretch of the live stream told. */

export interface RunMove {
  id: string
  state: string
  attempt: number
  backfill_id: string | null
  partition_set: string | null
  partition: string | null
}

export interface StepMove {
  run_id: string
  step: string
  state: string
  backfill_id: string | null
  partition_set: string | null
  partition: string | null
}

export interface BackfillMove {
  id: string
  partition_set: string | null
  state: string | null
  counts: Record<string, number>
}

/** The data of one `moves` event. */
export interface Told {
  at: string
  backfills: BackfillMove[]
  runs: RunMove[]
  steps: StepMove[]
  logs: string[]
  more: boolean
}

/** Everything that moved since queries were last told; `all` when nobody knows what did. */
export class Moves {
  all = false
  readonly backfills = new Set<string>()
  readonly runs = new Set<string>()
  readonly sets = new Set<string>()
  /** Runs whose backfill, set and state matter to lists. */
  readonly runStates = new Map<string, string>()
  readonly logs = new Set<string>()
  /** Too many moved to be told one by one. */
  more = false

  add(told: Told): void {
    for (const moved of told.backfills) {
      this.backfills.add(moved.id)
      if (moved.partition_set) this.sets.add(moved.partition_set)
    }
    for (const moved of told.runs) {
      this.runs.add(moved.id)
      this.runStates.set(moved.id, moved.state)
      if (moved.backfill_id) this.backfills.add(moved.backfill_id)
      if (moved.partition_set) this.sets.add(moved.partition_set)
    }
    for (const moved of told.steps) {
      this.runs.add(moved.run_id)
      if (moved.partition_set) this.sets.add(moved.partition_set)
    }
    for (const run of told.logs) this.logs.add(run)
    this.more ||= told.more
  }

  get isEmpty(): boolean {
    return !this.all && !this.more && !this.backfills.size && !this.runs.size && !this.logs.size
  }

  /** Any run or backfill moved. */
  get anything(): boolean {
    return this.all || this.more || this.backfills.size > 0 || this.runs.size > 0
  }

  ofBackfill(id: string): boolean {
    return this.all || this.backfills.has(id)
  }

  ofRun(id: string): boolean {
    return this.all || this.more || this.runs.has(id)
  }

  ofSet(name: string): boolean {
    return this.all || this.sets.has(name)
  }

  ofLog(run: string): boolean {
    return this.all || this.logs.has(run) || this.runs.has(run)
  }
}
