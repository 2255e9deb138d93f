/**
 * Starts the console.
 */
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './api/invitation.ts'
import { queryClient } from './query-client.ts'
import { router } from './router.tsx'
import { applyTheme } from './shell/theme.ts'
import './styles.css'

// After a deployment, the scripts of an older page are gone: the page is loaded anew.
window.addEventListener('vite:preloadError', () => window.location.reload())

applyTheme()
const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
