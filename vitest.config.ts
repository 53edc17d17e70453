import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'test/**/*.test.ts',
      'apps/**/*.test.ts',
      'bench/**/*.test.ts',
      'console/**/*.test.ts',
    ],
    exclude: ['node_modules/**', 'dist/**', 'test/processes/**', 'test/browser/**', 'test/simulation/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
})
