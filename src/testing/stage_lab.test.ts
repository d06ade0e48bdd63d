/** Chains of stages without page and worker, on the engine. */
import { beforeAll, expect, it } from 'vitest';
import { defaultConfig } from '../config/index.ts';
import { isAdapterTensor } from '../model/index.ts';
import { startEngine } from './node_engine.ts';
import { labBase, labConfig, labStage } from './stage_lab.ts';

beforeAll(startEngine);

const training = { batch_size: 2, max_iters: 2, eval_interval: 2, eval_iters: 1, warmup_iters: 0 };

it('children of a stage with adapters start from the merged weights', async () => {
  const config = labConfig(
    {
      data: { corpus: 'arithmetic' },
      tokenizer: { kind: 'char' },
      model: { layout: 'gpt2', n_layer: 1, n_head: 2, n_embd: 16, block_size: 32 },
      training,
    },
    defaultConfig(),
  );
  const base = await labBase(config);
  const dataset = { task: 'arithmetic', size: 8, eval_size: 2 } as const;
  const peft = { peft_type: 'lora', r: 2 } as const;
  const rows: object[] = [];
  const { state } = await labStage({
    parent: base,
    stage: { objective: 'sft', dataset, peft },
    changes: { training, sampling: { max_new_tokens: 4 } },
    onRow: (row) => rows.push(row),
  });
  expect(rows).toHaveLength(2);
  expect([...(state.objective_tensors ?? new Map()).keys()].filter(isAdapterTensor)).toEqual([]);
  const weight = 'transformer.h.0.mlp.c_fc.weight';
  expect(state.parameters.get(weight)).toBeDefined();
  expect(state.parameters.get(weight)).not.toEqual(base.state.parameters.get(weight));
});
