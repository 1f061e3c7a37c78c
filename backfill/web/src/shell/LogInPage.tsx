import { useState } from 'react'

import { useLogIn } from '@/api/session'
import { Button } from '@/parts/Button'
import { useTitle } from '@/parts/Page'
import { ProblemLine } from '@/parts/Shown'
import styles from './LogInPage.module.css'

/** Asks for a token, and goes on to the page that was asked for. */
export function LogInPage() {
  useTitle('Log in')
  const logIn = useLogIn()
  const [token, setToken] = useState('')
  return (
    <main className={styles.page}>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault()
          logIn.mutate(token.trim())
        }}
      >
        <h1>
          <img src="/favicon.svg" alt="" width={28} height={28} /> Backfill
        </h1>
        <div className="field">
          <label htmlFor="token">Token</label>
          <input
            id="token"
            type="password"
            autoComplete="current-password"
            autoFocus
            required
            value={token}
            onChange={(event) => setToken(event.target.value)}
            aria-describedby="token-help"
          />
          <span id="token-help" className="small soft">
            An administrator makes one with <code>backfill tokens create</code>.
          </span>
        </div>
        <ProblemLine error={logIn.error} />
        <Button kind="primary" type="submit" disabled={!token.trim() || logIn.isPending}>
          Log in
        </Button>
      </form>
    </main>
  )
}
