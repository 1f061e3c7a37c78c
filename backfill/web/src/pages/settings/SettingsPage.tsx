/** Settings: tokens, for admins; who changed what; what this server is. */
import { useNavigate } from '@tanstack/react-router'

import { Page } from '@/parts/Page'
import { Tabs } from '@/parts/Tabs'
import { About } from './About'
import { Audit } from './Audit'
import { settingsRoute } from './routes'
import { Tokens } from './Tokens'

export function SettingsPage() {
  const { tab = 'tokens', cursor } = settingsRoute.useSearch()
  const navigate = useNavigate({ from: settingsRoute.fullPath })
  return (
    <Page title="Settings">
      <Tabs
        label="Settings"
        value={tab}
        onChange={(chosen) => void navigate({ search: chosen === 'tokens' ? {} : { tab: chosen } })}
        tabs={[
          ['tokens', 'Tokens', () => <Tokens />],
          ['audit', 'Audit', () => <Audit cursor={cursor} />],
          ['about', 'About', () => <About />],
        ]}
      />
    </Page>
  )
}
