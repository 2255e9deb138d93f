import { defineConfig } from 'vitest/config'
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/gate/**/*.model.test.ts'],
    root: new URL('../..', import.meta.url).pathname,
  },
})
