import { fileURLToPath } from 'node:url'

import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

const api = process.env['BACKFILL_API_URL'] ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0, // the Content-Security-Policy allows no inline code
    reportCompressedSize: false,
    chunkSizeWarningLimit: 800,
    cssCodeSplit: false,
    rolldownOptions: {
      output: {
        // Few files: what every page uses in one, and a file per page and per heavy library.
        codeSplitting: {
          groups: [
            { name: 'editor', test: /node_modules\/(@codemirror|@lezer|@marijn)/, priority: 3 },
            {
              name: 'base',
              test: /node_modules\/(react|react-dom|scheduler|@tanstack|@radix-ui|radix-ui|openapi-fetch|get-nonce|lucide-react|@floating-ui|aria-hidden|react-remove-scroll|react-style-singleton|use-callback-ref|use-sidecar|tslib)\//,
              priority: 2,
            },
            {
              name: 'frame',
              test: /src\/(api|live|shell|parts)\/(?!editor|Yaml|yaml)|src\/states/,
              priority: 1,
            },
          ],
        },
      },
    },
  },
  server: { host: '127.0.0.1', proxy: { '/api': api, '/docs': api } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
