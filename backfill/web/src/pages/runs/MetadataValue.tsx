/** A value that a step told; what users wrote is only ever text. */
export function MetadataValue({ value }: { value: unknown }) {
  if (isTagged(value)) {
    const inner = value.value
    if (value.type === 'url' && typeof inner === 'string' && /^https?:\/\//i.test(inner)) {
      return (
        <a href={inner} target="_blank" rel="noreferrer noopener" className="break">
          {inner}
        </a>
      )
    }
    if (typeof inner === 'string') return <Text text={inner} mono={value.type !== 'text'} />
    return <Text text={JSON.stringify(inner, null, 2)} mono />
  }
  if (typeof value === 'string') return <Text text={value} />
  if (typeof value === 'number') return <>{value.toLocaleString()}</>
  return <Text text={JSON.stringify(value, null, 2)} mono />
}

function Text({ text, mono = false }: { text: string; mono?: boolean }) {
  return text.includes('\n') || mono ? <pre>{text}</pre> : <span className="break">{text}</span>
}

function isTagged(value: unknown): value is { type: string; value: unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    typeof value.type === 'string' &&
    'value' in value
  )
}
