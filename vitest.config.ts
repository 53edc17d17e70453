import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const fromRoot = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The package's own name leads to the sources, so that code which uses only its exports is tested without a build. */
const alias = [
  { find: /^althing$/, replacement: fromRoot('./src/index.ts') },
  { find: /^althing\/([a-z/-]+)$/, replacement: fromRoot('./src/$1/index.ts') },
]

const shared = {
  environment: 'node',
  pool: 'forks',
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const

const unitFiles = {
  include: [
    'src/**/*.test.ts',
    'apps/**/*.test.ts',
    'bench/**/*.test.ts',
    'console/**/*.test.ts',
    'scripts/**/*.test.ts',
    'test/*.test.ts',
    'test/architecture/**/*.test.ts',
    'test/soak/**/*.test.ts',
  ],
  exclude: ['node_modules/**', 'dist/**', '**/*.processes.test.ts'],
}

/** Seeds and random cases by the thousand, of code that asks the runtime for nothing: one runtime is enough for them. */
const sameOnAnyRuntime = [
  '**/*-faults.test.ts',
  'src/engines/nats/shared-log-store.test.ts',
  'src/protocols/**/*.test.ts',
  'src/testing/conformance/*.test.ts',
  'src/testing/swim-simulation/*.test.ts',
  'test/architecture/**/*.test.ts',
  'test/fuzz.test.ts',
]

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'unit',
          ...unitFiles,
        },
      },
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'other-runtime',
          ...unitFiles,
          exclude: [...unitFiles.exclude, ...sameOnAnyRuntime],
        },
      },
      {
        resolve: { alias },
        test: { ...shared, name: 'conformance', include: ['test/conformance/**/*.test.ts'] },
      },
      {
        resolve: { alias },
        test: {
          ...shared,
          // Nearly all of their time is waiting: for leases to end, for links to be mended.
          ...{
            name: 'recipes',
            include: ['test/recipes/*.test.ts'],
            testTimeout: 240_000,
            hookTimeout: 120_000,
          },
          maxConcurrency: 16,
        },
      },
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 600_000,
        },
      },
      {
        // Real processes, run from `dist`.
        test: {
          ...shared,
          name: 'processes',
          include: ['test/processes/**/*.test.ts', 'bench/**/*.processes.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
