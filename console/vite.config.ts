/**
 * Builds the console into `public/console`, from where Cloudflare serves it without running the Worker. `scripts/console.mjs`
 * runs this when something in `console/` has changed.
 */
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  base: '/console/',
  publicDir: 'static',
  plugins: [react(), tailwindcss(), namesItsBuild(), dropsUnusedWeights()],
  build: {
    outDir: '../public/console',
    emptyOutDir: true,
    target: 'es2022',
    // The policy of the page forbids data: URLs of scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1_000,
    // One file of all that several screens share: else each screen is thirty files, most of them smaller than their headers.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'shared', minShareCount: 3 }] } } },
  },
})

/** Leaves out the weights of icons that nothing here or in Kumo uses: each icon has the paths of all six. */
function dropsUnusedWeights() {
  return {
    name: 'drops-unused-weights',
    transform(code: string, id: string) {
      if (!id.includes('/@phosphor-icons/react/dist/defs/')) return null
      return { code: code.replaceAll(/^ {2}\[\n {4}"(?:thin|light|duotone)",\n.*\n {2}\],?\n/gm, ''), map: null }
    },
  }
}

/** Writes into the page what it was built from, so that `scripts/console.mjs` knows whether to build again. */
function namesItsBuild() {
  return {
    name: 'names-its-build',
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { name: 'build', content: process.env.CONSOLE_BUILD ?? '' }, injectTo: 'head' as const },
    ],
  }
}
