/** A YAML editor; CodeMirror is loaded when the first one is shown. */
import { lazy, Suspense } from 'react'

import { Loading } from '../Shown'
import type { Schema } from './schema'

export interface EditorProblem {
  /** As the server writes it: `steps.load.config.day`; empty: of the whole text. */
  path: string
  message: string
}

export interface YamlEditorProps {
  /** Names the editor for those who cannot see it. */
  label: string
  value: string
  onChange?: (value: string) => void
  /** Of the config; completes keys and values. */
  schema?: Schema | undefined
  /** What the server said about it. */
  problems?: readonly EditorProblem[] | undefined
  readOnly?: boolean
}

const CodeEditor = lazy(() => import('./CodeEditor'))

export function YamlEditor(props: YamlEditorProps) {
  return (
    <Suspense fallback={<Loading what="Loading the editor" />}>
      <CodeEditor {...props} />
    </Suspense>
  )
}
