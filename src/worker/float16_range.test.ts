/** Stages whose frozen weights are asked for in float16, over a parent with a weight beyond its range. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { parseStage, type StageInput } from '../config/stage/index.ts';
import type { StartCommand } from '../protocol/index.ts';
import type { TrainerState } from '../train/index.ts';
import type { SessionServices } from './services.ts';
import { DEVICE, SessionHarness, startCommand, tinyConfig } from './testing_session.ts';
import { FakeTrainer } from './testing_trainer.ts';

const MATRIX = 'transformer.h.0.mlp.c_fc.weight';
const HEAD = 'lm_head.weight';

const config = tinyConfig(({ model, training }) => {
  Object.assign(model, { block_size: 32, tie_word_embeddings: false });
  training.max_iters = 2;
});

const lines = (row: object) => ({
  name: 'own.jsonl',
  bytes: new TextEncoder().encode(`${JSON.stringify(row)}\n`.repeat(4)),
});
const EXAMPLES = lines({ prompt: 'fox', completion: 'dog' });
const PAIRS = lines({ prompt: 'fox', chosen: 'dog', rejected: 'the' });
const float16: StageInput['peft'] = { peft_type: 'lora', r: 2, dtype: 'float16' };

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});

/**
 * A session whose runs, or those with one objective, save a weight of 1e5 in this parameter. Reward
 * models have a scalar head.
 */
function sessionWith(
  large: string,
  change: Partial<SessionServices> = {},
  objective: string | null = null,
): SessionHarness {
  class LargeTrainer extends FakeTrainer {
    override async state(): Promise<TrainerState> {
      const state = await super.state();
      const { name } = this.objective;
      if (name === (objective ?? name)) state.parameters.get(large)?.fill(1e5, 1, 2);
      if (name !== 'reward') return state;
      const score = { shape: [1, 8], data: new Float32Array(8) };
      return { ...state, objective_tensors: new Map([['score.weight', score]]) };
    }
  }
  return new SessionHarness({
    createTrainer: async (options) => new LargeTrainer(options),
    ...change,
  });
}

/** Trains a run to its end; returns what the page shows if it cannot begin. */
async function trained(
  session: SessionHarness,
  change: Partial<StartCommand> = {},
): Promise<string> {
  const refusal = await session.train(startCommand({ config, ...change }));
  return refusal ? `${refusal.field}: ${refusal.message} ${refusal.hint}` : '';
}

const stageOf = (input: StageInput, parent: string): Partial<StartCommand> => ({
  run: input.objective ?? 'sft',
  stage: parseStage({ ...input, dataset: { task: 'own' } }),
  parent: { run: parent },
  dataset: input.objective === 'reward' ? PAIRS : EXAMPLES,
});

describe('a frozen base in float16 with a weight that is too large', () => {
  test('is refused, and float32 is offered', async () => {
    const session = sessionWith(MATRIX);
    expect(await trained(session)).toBe('');
    expect(await trained(session, stageOf({ peft: float16 }, 'first'))).toBe(
      `peft.dtype: “First” has a weight of 100000 in ${MATRIX}, and float16 ends at 65,504. ` +
        'Keep the frozen weights in float32 (peft.dtype).',
    );
    expect((await session.store.list()).map(({ run }) => run)).toEqual(['first']);
  });
  test('trains where the device keeps float32 instead', async () => {
    const devices: Partial<SessionServices>[] = [
      { tryBackends: async () => ({ ...DEVICE, backend: 'wasm' }) },
      { float16UnsupportedReason: async () => 'It rounds wrongly.' },
    ];
    for (const device of devices) {
      const session = sessionWith(MATRIX, device);
      expect(await trained(session)).toBe('');
      expect(await trained(session, stageOf({ peft: float16 }, 'first'))).toBe('');
      const notices = session.all('notice').map(({ message }) => message);
      expect(notices.filter((one) => one.includes('kept in float32'))).toHaveLength(1);
    }
  });
  test('trains if the weight is in a vector, which stays float32', async () => {
    const session = sessionWith('transformer.h.0.mlp.c_fc.bias');
    expect(await trained(session)).toBe('');
    expect(await trained(session, stageOf({ peft: float16 }, 'first'))).toBe('');
  });
  test('trains if only the language head of the reward model has it, which scores nothing', async () => {
    const session = sessionWith(HEAD, {}, 'reward');
    expect(await trained(session)).toBe('');
    expect(await trained(session, stageOf({ objective: 'reward' }, 'first'))).toBe('');
    const ppo = { response_length: 6, num_ppo_epochs: 1, num_mini_batches: 1 };
    const stage = stageOf({ objective: 'ppo', ppo, peft: float16 }, 'first');
    expect(await trained(session, { ...stage, reward_model: { run: 'reward' } })).toBe('');
  });
});
