/** LoRA against PEFT in float64, on every backend. */
import { describe, it } from 'vitest';
import { startOnce } from '../testing/start_once.ts';
import { LORA_CASES } from './testing_lora.ts';
import { checkAgainstPeft } from './testing_lora_checks.ts';

const ALL = Object.keys(LORA_CASES);
const WAYS = {
  cpu: ALL,
  wasm: ALL,
  // Slow to compile, and the references are those of the two before.
  webgl: ['gpt2'],
  processor: ALL,
  webgpu: ALL,
} as const;

describe.each(['cpu', 'wasm', 'webgl', 'processor', 'webgpu'] as const)('LoRA on %s', (backend) => {
  it.each(WAYS[backend])("computes and learns PEFT's numbers: %s", async (name) => {
    await startOnce(backend);
    await checkAgainstPeft(name);
  });
});
