import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

/** Globals of Node scripts and of the pages that they open. */
const nodeGlobals = [
  'process',
  'console',
  'URL',
  'URLSearchParams',
  'setTimeout',
  'clearTimeout',
  'Buffer',
  'fetch',
  'performance',
  'atob',
  'btoa',
  'structuredClone',
  'window',
];

const onlyProtocolPosts = {
  selector: "CallExpression[callee.property.name='postMessage']",
  message: 'Only protocol/ may call postMessage.',
};

const noConditionalSpread = {
  selector: 'ObjectExpression > SpreadElement > :matches(ConditionalExpression, LogicalExpression)',
  message: 'Set the property to undefined, or build the object in steps.',
};

export default tseslint.config(
  {
    ignores: [
      'dist',
      'dist-bench',
      'dist-pilot',
      'dist-pool',
      'node_modules',
      '.vite-cache',
      'playwright-report',
      'test-results',
      '.gpu-*',
      'bench/peers',
      'assembly/build',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/require-await': 'off',
    },
  },
  // No other file has components or hooks. The rules compile each file with the React compiler.
  {
    files: ['**/*.tsx', 'src/ui/**/*.ts'],
    plugins: { 'react-hooks': reactHooks },
    rules: reactHooks.configs.recommended.rules,
  },
  prettier,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'max-len': ['error', { code: 120 }],
      'max-params': ['error', { max: 4 }],
      'max-statements-per-line': ['error', { max: 1 }],
      'no-nested-ternary': 'error',
      'no-restricted-properties': [
        'error',
        {
          object: 'crypto',
          property: 'randomUUID',
          message: 'Use randomId: plain http has no randomUUID.',
        },
      ],
      'no-restricted-syntax': ['error', onlyProtocolPosts, noConditionalSpread],
      'one-var': ['error', 'never'],
    },
  },
  // AssemblyScript has types of its own, which its compiler checks.
  { files: ['assembly/**'], ...tseslint.configs.disableTypeChecked },
  // The bench is a page of its own with a worker of its own; the engine's threads are workers, too.
  {
    files: [
      'src/protocol/**',
      'bench/**',
      'src/processor/{helper,thread*,testing_leader,testing_operations,testing_training}.ts',
    ],
    rules: { 'no-restricted-syntax': ['error', noConditionalSpread] },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: {
        ...Object.fromEntries(nodeGlobals.map((name) => [name, 'readonly'])),
        module: 'writable',
        require: 'readonly',
      },
    },
  },
);
