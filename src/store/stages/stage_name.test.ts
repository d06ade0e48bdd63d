/** Names of stages that nobody named. */
import { describe, expect, it } from 'vitest';
import { defaultConfig, PRESETS, withField } from '../../config/index.ts';
import { defaultStage, withStageField } from '../../config/stage/index.ts';
import { defaultName } from '../default_name.ts';
import { baseName, defaultStageName, withoutMesh } from './stage_name.ts';

const config = withField(defaultConfig(), 'data.corpus', 'arithmetic');
const named = (name: string) => ({ name, config });
const grpo = { ...defaultStage(), objective: 'grpo' as const };

describe('the default name of a stage', () => {
  it('is the short name of the base model and the objective', () => {
    const parents = [
      'Arithmetic',
      'Arithmetic (3)',
      'Arithmetic, layers 1, heads 2, width 16, and 5 more',
      'Arithmetic, layers 1, heads 2, width 16, and 5 more, SFT',
      'Arithmetic, layers 1, heads 2, width 16, and 5 more (2), SFT, DPO LoRA (2)',
      'Arithmetic, llama, no bias, lr 0.01',
      'Arithmetic, SFT',
      'Arithmetic, Reward 2',
      'Arithmetic, SFT LoRA 12',
      'Arithmetic, SFT, DP 2 x TP 2, ZeRO-1',
      'Arithmetic, lr 0.01, one rank',
    ];
    for (const parent of parents) {
      expect(defaultStageName(named(parent), grpo), parent).toBe('Arithmetic, GRPO');
    }
  });

  it('understands every default name of a base model', () => {
    for (const { id, title, config: base } of PRESETS) {
      const changes = [
        withField(base, 'training.learning_rate', 0.0123),
        withField(base, 'model.bias', !base.model.bias),
        withField(base, 'training.optimizer', 'muon'),
        withField(withField(base, 'model.n_layer', 9), 'model.n_embd', 72),
      ];
      for (const changed of changes) {
        const name = defaultName({ config: changed, base, preset: id, text: null });
        expect(baseName({ name, config: changed }), name).toBe(title);
      }
    }
  });

  it('keeps the name that the user gave', () => {
    expect(defaultStageName(named('Tales that answer'), grpo)).toBe('Tales that answer, GRPO');
    expect(defaultStageName(named('Mine, lr 0.01'), grpo)).toBe('Mine, lr 0.01, GRPO');
    expect(defaultStageName(named('Arithmetic, the good one'), grpo)).toBe(
      'Arithmetic, the good one, GRPO',
    );
    expect(defaultStageName(named('Mine (2)'), grpo)).toBe('Mine (2), GRPO');
    expect(defaultStageName(named('Mine, SFT'), grpo)).toBe('Mine, GRPO');
    expect(defaultStageName(named('SFT'), grpo)).toBe('SFT, GRPO');
  });

  it('is the file’s name after a base model of the user’s own text', () => {
    const own = { name: 'fox.txt, layers 2, SFT', config: withField(config, 'data.corpus', 'own') };
    expect(defaultStageName(own, grpo)).toBe('fox.txt, GRPO');
  });

  it('has a number if another run has that name, and says that it trains an adapter', () => {
    const taken = ['Arithmetic, GRPO', 'Arithmetic, GRPO 2'];
    expect(defaultStageName(named('Arithmetic'), grpo, taken)).toBe('Arithmetic, GRPO 3');
    const lora = withStageField(grpo, 'peft.peft_type', 'lora');
    expect(defaultStageName(named('Arithmetic'), lora, taken)).toBe('Arithmetic, GRPO LoRA');
  });
});

describe('the name of a run that goes on with other ranks', () => {
  it('is without the mesh that it had', () => {
    expect(withoutMesh('Names, DP 2, ZeRO-3')).toBe('Names');
    expect(withoutMesh('Names, SFT, DP 2 x TP 2')).toBe('Names, SFT');
    expect(withoutMesh('Names, one rank')).toBe('Names');
    expect(withoutMesh('DP 2')).toBe('DP 2');
    expect(withoutMesh('Anna, Ben and Tom')).toBe('Anna, Ben and Tom');
  });
});
