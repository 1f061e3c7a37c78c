import { Component, type ReactNode } from 'react'

import { ProblemShown } from './Shown'

interface Props {
  children: ReactNode
  /** Changing it tries again. */
  of?: string
}

/** Keeps the rest of the app alive when a part of it fails. */
export class ErrorBoundary extends Component<
  Props,
  { error: Error | null; of: string | undefined }
> {
  override state = { error: null as Error | null, of: this.props.of }

  static getDerivedStateFromError(error: Error) {
    return { error }
  }

  static getDerivedStateFromProps(props: Props, state: { of: string | undefined }) {
    return props.of === state.of ? null : { error: null, of: props.of }
  }

  override render() {
    if (!this.state.error) return this.props.children
    return <ProblemShown error={this.state.error} again={() => this.setState({ error: null })} />
  }
}
