import './styles/tokens.css'
import './styles/states.generated.css'
import './styles/base.css'

import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { setNonce } from 'get-nonce'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

import { whenUnauthorized } from '@/api/client'
import { queryClient } from '@/api/query'
import { sessionQuery } from '@/api/session'
import { styleNonce } from '@/shell/nonce'
import { router } from './router'

setNonce(styleNonce()) // for the few style elements that Radix makes
queryClient.query(sessionQuery).catch(() => undefined) // while the page's code is loaded
whenUnauthorized(() => queryClient.setQueryData(sessionQuery.queryKey, null))

createRoot(document.getElementById('app')!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
