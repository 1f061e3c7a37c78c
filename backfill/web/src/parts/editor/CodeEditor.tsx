/** CodeMirror with YAML, the marks of the server's problems, and completion by JSON Schema. */
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import {
  bracketMatching,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language'
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState } from '@codemirror/state'
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
} from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { useEffect, useRef } from 'react'

import { styleNonce } from '@/shell/nonce'
import { suggestions } from './completion'
import styles from './CodeEditor.module.css'
import type { Schema } from './schema'
import type { EditorProblem, YamlEditorProps } from './YamlEditor'
import { parseYaml, placeOf, readPath } from './yamlText'

const look = EditorView.theme({
  '&': { backgroundColor: 'var(--surface)', color: 'var(--text)', height: '100%' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', fontSize: '13px', lineHeight: '1.5' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': {
    backgroundColor: 'var(--sunken)',
    color: 'var(--text-soft)',
    borderRight: '1px solid var(--line)',
  },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'transparent' },
  '&.cm-focused .cm-activeLine': {
    backgroundColor: 'color-mix(in srgb, var(--hover) 60%, transparent)',
  },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground':
    { backgroundColor: 'var(--selected)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--raised)',
    color: 'var(--text)',
    border: '1px solid var(--line-strong)',
    borderRadius: 'var(--radius)',
  },
  '.cm-tooltip-autocomplete ul li[aria-selected]': {
    backgroundColor: 'var(--selected)',
    color: 'var(--text)',
  },
  '.cm-completionDetail': { color: 'var(--text-soft)', fontStyle: 'normal' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--danger)' },
  '.cm-panels': { backgroundColor: 'var(--sunken)', color: 'var(--text)' },
})

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.string, tags.content], color: 'var(--text)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--warn)' },
  { tag: tags.comment, color: 'var(--text-soft)', fontStyle: 'italic' },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket], color: 'var(--text-soft)' },
])

export default function CodeEditor({
  label,
  value,
  onChange,
  schema,
  problems,
  readOnly = false,
}: YamlEditorProps) {
  const parent = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const given = useRef({ onChange, schema, value })
  const parts = useRef({ label: new Compartment(), readOnly: new Compartment() })

  useEffect(() => {
    given.current = { onChange, schema, value }
  })

  useEffect(() => {
    const { label: labels, readOnly: lock } = parts.current
    const made = new EditorView({
      parent: parent.current!,
      state: EditorState.create({
        doc: given.current.value,
        extensions: [
          EditorView.cspNonce.of(styleNonce()),
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          highlightSelectionMatches(),
          indentUnit.of('  '),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          yaml(),
          look,
          syntaxHighlighting(colours),
          autocompletion({
            override: [(context) => completed(context, given.current.schema)],
            icons: false,
          }),
          keymap.of([
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...defaultKeymap,
            ...searchKeymap,
            ...historyKeymap,
            indentWithTab,
          ]),
          labels.of([]),
          lock.of([]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) given.current.onChange?.(update.state.doc.toString())
          }),
        ],
      }),
    })
    view.current = made
    return () => {
      made.destroy()
      view.current = null
    }
  }, [])

  useEffect(() => {
    const { label: labels, readOnly: lock } = parts.current
    view.current?.dispatch({
      effects: [
        labels.reconfigure(EditorView.contentAttributes.of({ 'aria-label': label })),
        lock.reconfigure([EditorState.readOnly.of(readOnly), EditorView.editable.of(!readOnly)]),
      ],
    })
  }, [label, readOnly])

  useEffect(() => {
    const now = view.current
    if (!now || now.state.doc.toString() === value) return
    now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: value } })
  }, [value])

  useEffect(() => {
    const now = view.current
    if (now) now.dispatch(setDiagnostics(now.state, diagnostics(value, problems ?? [])))
  }, [value, problems])

  return <div ref={parent} className={styles.editor} />
}

function diagnostics(text: string, problems: readonly EditorProblem[]): Diagnostic[] {
  const own = parseYaml(text).problems
  if (own.length) return own.map((one) => ({ ...one, ...clipped(one, text), severity: 'error' }))
  return problems.map((problem) => ({
    ...clipped(placeOf(text, readPath(problem.path)), text),
    severity: 'error',
    message: problem.message,
  }))
}

function clipped(place: { from: number; to: number }, text: string): { from: number; to: number } {
  const from = Math.min(place.from, text.length)
  return { from, to: Math.max(from, Math.min(place.to, text.length)) }
}

function completed(
  context: CompletionContext,
  schema: Schema | undefined,
): CompletionResult | null {
  if (!schema || (!context.explicit && !context.matchBefore(/[\w-]$|:\s$/))) return null
  const found = suggestions(context.state.doc.toString(), context.pos, schema)
  if (!found) return null
  return {
    from: found.from,
    validFor: /^[\w./-]*$/,
    options: found.options.map((option) => ({
      label: option.label,
      apply: option.insert,
      detail: option.required ? `${option.detail}, required` : option.detail,
      boost: option.required ? 1 : 0,
      ...(option.info ? { info: option.info } : {}),
    })),
  }
}
