import { Link } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import {
  CalendarClock,
  Grid3x3,
  House,
  Layers,
  LogOut,
  MonitorCog,
  Moon,
  Play,
  Server,
  Settings,
  Sun,
  Waypoints,
  type LucideIcon,
} from 'lucide-react'

import { sessionQuery, useLogOut } from '@/api/session'
import { Button } from '@/parts/Button'
import { Menu, MenuItem } from '@/parts/overlays'
import { entries, type NavigationEntry } from './entries'
import styles from './Navigation.module.css'
import { useTheme, type Theme } from './theme'

const ICONS: Record<NavigationEntry['icon'], LucideIcon> = {
  home: House,
  backfills: Layers,
  runs: Play,
  sets: Grid3x3,
  pipelines: Waypoints,
  playground: MonitorCog,
  schedules: CalendarClock,
  workers: Server,
  settings: Settings,
}
const THEMES: Record<Theme, string> = { system: 'As the system', light: 'Light', dark: 'Dark' }

export function Navigation() {
  return (
    <nav className={styles.navigation} aria-label="Pages of Backfill">
      <Link to="/" className={styles.brand} aria-label="Backfill, home">
        <img src="/favicon.svg" alt="" width={24} height={24} />
        <span className={styles.word}>Backfill</span>
      </Link>
      <ul className={styles.entries}>
        {entries.map((entry) => (
          <li key={entry.to}>
            <Entry entry={entry} />
          </li>
        ))}
      </ul>
      <div className={styles.foot}>
        <ThemeMenu />
        <Who />
      </div>
    </nav>
  )
}

function Entry({ entry }: { entry: NavigationEntry }) {
  const Icon = ICONS[entry.icon]
  return (
    <Link
      to={entry.to}
      className={styles.entry}
      activeProps={{ 'className': styles.active, 'aria-current': 'page' }}
      activeOptions={{ exact: entry.to === '/', includeSearch: false }}
      title={entry.word}
    >
      <Icon size={17} aria-hidden />
      <span className={styles.word}>{entry.word}</span>
    </Link>
  )
}

function ThemeMenu() {
  const [theme, choose] = useTheme()
  return (
    <Menu
      label="Theme"
      trigger={
        <Button kind="quiet" small aria-label={`Theme: ${THEMES[theme]}`}>
          {theme === 'light' ? <Sun size={15} aria-hidden /> : <Moon size={15} aria-hidden />}
          <span className={styles.word}>{THEMES[theme]}</span>
        </Button>
      }
    >
      {(Object.keys(THEMES) as Theme[]).map((one) => (
        <MenuItem key={one} onSelect={() => choose(one)}>
          {THEMES[one]}
        </MenuItem>
      ))}
    </Menu>
  )
}

function Who() {
  const { data } = useQuery(sessionQuery)
  const logOut = useLogOut()
  if (!data) return null
  return (
    <div className={styles.who}>
      <span className={styles.word} title={`Role: ${data.role}`}>
        <span className={styles.name}>{data.name}</span>
        <span className="small soft">{data.role}</span>
      </span>
      {data.csrf_token && (
        <Button kind="quiet" small onClick={() => logOut.mutate()} aria-label="Log out">
          <LogOut size={15} aria-hidden />
        </Button>
      )}
    </div>
  )
}
