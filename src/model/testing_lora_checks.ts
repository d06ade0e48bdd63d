/** What a LoRA run must compute on every backend. */
import { expect } from 'vitest';
import { expectClose } from '../testing/expect_close.ts';
import { loraParameters } from './index.ts';
import {
  expectedOf,
  floats,
  LORA_CASES,
  loraBatch,
  loraModel,
  loraPeft,
  loraRun,
} from './testing_lora.ts';

/** Logits, gradients and ten AdamW steps are PEFT's; the base does not change by a bit. */
export async function checkAgainstPeft(name: string): Promise<void> {
  const one = LORA_CASES[name];
  if (!one) throw new Error(`No case ${name}.`);
  const { golden, lora } = one;
  const adapters = loraParameters(loraModel(one), loraPeft(one));
  const run = await loraRun(one);
  const before = await run.weights();
  const logits = { atol: 2e-5, rtol: 1e-5 };
  expectClose(await run.logits(loraBatch(one, 0)), floats(lora.logits), logits, 'logits');
  const { loss, gradients } = await run.gradients([loraBatch(one, 0)], 0);
  expectClose([loss], [lora.loss], { atol: 0, rtol: 1e-5 }, 'loss');
  expect([...gradients.keys()].sort()).toEqual(adapters.map((adapter) => adapter.name).sort());
  for (const adapter of adapters) {
    const expected = expectedOf(one, adapter, 'gradient');
    const tolerance = { atol: 4e-6, rtol: 1e-4 };
    expectClose(gradients.get(adapter.name) ?? [], expected, tolerance, adapter.name);
  }
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 0; step < lora.losses.length; step++) {
    const result = await run.step([loraBatch(one, step)], step);
    losses.push(result.loss);
    norms.push(result.grad_norm);
  }
  expectClose(losses, lora.losses, { atol: 0, rtol: 1e-5 }, 'losses');
  expectClose(norms, lora.grad_norms, { atol: 0, rtol: 1e-5 }, 'gradient norms');
  const after = await run.weights();
  for (const adapter of adapters) {
    const expected = expectedOf(one, adapter, 'final');
    const tolerance = { atol: 2e-5, rtol: 1e-5 };
    expectClose(after.get(adapter.name) ?? [], expected, tolerance, adapter.name);
  }
  for (const { name: parameter } of golden.parameters) {
    expect(after.get(parameter), parameter).toEqual(before.get(parameter));
  }
  run.dispose();
}
