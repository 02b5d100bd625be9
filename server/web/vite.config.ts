import { defineConfig } from 'vitest/config';

// The page is served under a policy without inline scripts or styles, so nothing may be inlined.
export default defineConfig({
  base: '/',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    outDir: process.env['WAYSTATION_WEB_OUT'] ?? 'dist',
    emptyOutDir: true,
    target: ['chrome100', 'firefox100', 'safari15'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  test: {
    environment: 'happy-dom',
    include: ['tests/**/*.test.{ts,tsx}'],
    restoreMocks: true,
    testTimeout: 30_000,
    poolOptions: { forks: { maxForks: 2, minForks: 1 } },
  },
});
