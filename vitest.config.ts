import { defineConfig } from 'vitest/config';

// pool 'forks': under 'threads' a test runs in a worker thread whose /proc/self is not its own, and
// network namespaces belong to threads.
export default defineConfig({
  test: {
    pool: 'forks',
    setupFiles: ['test/support/own-environment.ts'],
    // Generous: on a busy machine everything takes several times as long, which is no fault.
    testTimeout: 120_000,
    // Tests that run side by side mostly wait: for the kernel to be done with a link that is deleted.
    maxConcurrency: 10,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts'] },
      },
      { extends: true, test: { name: 'integration', include: ['test/integration/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          setupFiles: ['test/support/fresh-host.ts'],
          testTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
