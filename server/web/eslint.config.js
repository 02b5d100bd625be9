import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const node = {
  console: 'readonly',
  process: 'readonly',
  URL: 'readonly',
  URLSearchParams: 'readonly',
  Buffer: 'readonly',
  // Read inside page.evaluate, where the code runs in the browser.
  fetch: 'readonly',
  window: 'readonly',
  document: 'readonly',
  localStorage: 'readonly',
};

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': ['error', { max: 70 }],
      'max-len': ['error', { code: 100, ignoreUrls: true, ignoreStrings: true }],
      eqeqeq: 'error',
    },
  },
  {
    // Texts may be long, and a suite is one function.
    files: ['tests/**', 'e2e/**'],
    rules: { 'max-lines': ['error', { max: 800 }], 'max-lines-per-function': 'off' },
  },
  { files: ['**/*.mjs', '**/*.js'], languageOptions: { globals: node } },
);
