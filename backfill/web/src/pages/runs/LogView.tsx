import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDownToLine, Download } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'

import { Button } from '@/parts/Button'
import { TextFilter } from '@/parts/filters'
import { Loading, ProblemLine } from '@/parts/Shown'
import { utc } from '@/parts/times'
import { toastError } from '@/parts/toasts'
import { cutAt, fitting, LEVELS, logQuery, wholeLog, type Log, type LogLine } from './logs'
import styles from './LogView.module.css'
import { runRoute } from './routes'

const LINE_HEIGHT = 22
const NEAR_THE_END = 40

/** The log of a run, followed while it is written. */
export function LogView({ runId, steps }: { runId: string; steps: readonly string[] }) {
  const { step, attempt, level, find } = runRoute.useSearch()
  const navigate = useNavigate({ from: runRoute.fullPath })
  const wanted = { step, attempt }
  const log = useQuery(logQuery(runId, wanted))
  const { data, refetch } = log
  useEffect(() => {
    if (data?.more) void refetch()
  }, [data, refetch])
  const change = (next: object) =>
    void navigate({ search: (old) => ({ ...old, ...next }), replace: true })
  return (
    <section className={styles.view} aria-label="Log">
      <div className={styles.bar}>
        <label>
          <span className="visually-hidden">Step</span>
          <select
            value={step ?? ''}
            onChange={(event) =>
              change({ step: event.target.value || undefined, attempt: undefined })
            }
          >
            <option value="">Every step</option>
            {steps.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {attempt !== undefined && (
          <Button small onClick={() => change({ attempt: undefined })}>
            Attempt {attempt} ×
          </Button>
        )}
        <label>
          <span className="visually-hidden">Level</span>
          <select
            value={level ?? ''}
            onChange={(event) => change({ level: event.target.value || undefined })}
          >
            <option value="">Every level</option>
            {LEVELS.slice(1).map((name) => (
              <option key={name} value={name}>
                {name} and above
              </option>
            ))}
          </select>
        </label>
        <TextFilter
          label="Find"
          value={find}
          onChange={(text) => change({ find: text })}
          placeholder="text in the log"
          width={200}
        />
        <span className={styles.fill} />
        <DownloadButton runId={runId} wanted={wanted} />
      </div>
      <ProblemLine error={log.error} />
      {data ? (
        <Lines log={data} shown={fitting(data.lines, level, find)} find={find ?? ''} />
      ) : (
        log.isPending && <Loading what="Loading the log" />
      )}
    </section>
  )
}

function Lines({ log, shown, find }: { log: Log; shown: readonly LogLine[]; find: string }) {
  const scroller = useRef<HTMLDivElement>(null)
  const [follows, follow] = useState(!log.ended)
  // eslint-disable-next-line react-hooks/incompatible-library -- rows are measured as they come
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 12,
    getItemKey: (n) => shown[n]!.id,
  })
  const count = shown.length
  useEffect(() => {
    if (follows && count) rows.scrollToIndex(count - 1, { align: 'end' })
  }, [follows, count, rows])
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = scroller.current!
    if (scrollHeight - scrollTop - clientHeight > NEAR_THE_END) return
    if (!log.ended) follow(true)
  }
  return (
    <>
      {log.dropped > 0 && (
        <p className="small soft">
          The first {log.dropped.toLocaleString()} lines are only in the download.
        </p>
      )}
      <div
        ref={scroller}
        className={styles.lines}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Lines of the log"
        onScroll={onScroll}
        onWheel={(event) => event.deltaY < 0 && follow(false)}
        onKeyDown={(event) => {
          if (['ArrowUp', 'PageUp', 'Home'].includes(event.key)) follow(false)
        }}
      >
        <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
          {rows.getVirtualItems().map((row) => (
            <div
              key={row.key}
              ref={rows.measureElement}
              data-index={row.index}
              className={styles.row}
              style={{ transform: `translateY(${row.start}px)` }}
            >
              <Line line={shown[row.index]!} find={find} />
            </div>
          ))}
        </div>
        {!count && (
          <p className={styles.none}>
            {log.lines.length
              ? 'No line fits.'
              : log.ended
                ? 'Nothing was logged.'
                : 'Nothing yet.'}
          </p>
        )}
      </div>
      <div className="row spread small soft">
        <span aria-live="polite">
          {count.toLocaleString()} {count === 1 ? 'line' : 'lines'}
          {count !== log.lines.length && ` of ${log.lines.length.toLocaleString()}`}
          {log.ended ? ' · ended' : ' · live'}
        </span>
        {!log.ended && (
          <Button small aria-pressed={follows} onClick={() => follow(!follows)}>
            <ArrowDownToLine size={13} aria-hidden />
            {follows ? 'Following' : 'Follow'}
          </Button>
        )}
      </div>
    </>
  )
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hour12: false,
})

function Line({ line, find }: { line: LogLine; find: string }) {
  return (
    <>
      <time className={styles.at} dateTime={line.at} title={utc(line.at)}>
        {clock.format(new Date(line.at))}
      </time>
      <span className={`${styles.level} ${styles[line.level] ?? ''}`}>{line.level}</span>
      <span className={styles.step} title={line.step ?? 'the run itself'}>
        {line.step ?? ''}
      </span>
      <span className={styles.message}>
        {cutAt(line.message, find).map((part, n) =>
          n % 2 ? <mark key={n}>{part}</mark> : <span key={n}>{part}</span>,
        )}
      </span>
    </>
  )
}

function DownloadButton({
  runId,
  wanted,
}: {
  runId: string
  wanted: { step: string | undefined; attempt: number | undefined }
}) {
  const [busy, setBusy] = useState(false)
  const download = async () => {
    setBusy(true)
    try {
      const text = await wholeLog(runId, wanted)
      const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
      const link = document.createElement('a')
      link.href = url
      link.download = `run-${runId}${wanted.step ? `-${wanted.step}` : ''}.log`
      link.click()
      window.setTimeout(() => URL.revokeObjectURL(url), 10_000)
    } catch (error) {
      toastError(error as Error)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button small disabled={busy} onClick={() => void download()}>
      <Download size={14} aria-hidden />
      {busy ? 'Reading…' : 'Download'}
    </Button>
  )
}
