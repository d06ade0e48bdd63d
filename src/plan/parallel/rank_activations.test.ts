/** Activations against the published formulas, and in-flight micro-batches against a simulation. */
import { describe, expect, it } from 'vitest';
import type { Mesh } from './mesh.ts';
import { chunksInFlight } from './in_flight.ts';
import { mixedActivations, rankActivations } from './rank_activations.ts';
import { meshOf, published, trainingWith } from './testing_models.ts';

describe('activations under mixed precision', () => {
  const gpt3 = published('gpt3');
  const { n_embd: h, n_head: a, block_size: s, n_layer: L, vocab_size: v } = gpt3;
  const b = 2;
  const afterBlocks = 4 * s * b * h;
  const kept = (changes: Parameters<typeof trainingWith>[0], mesh: Partial<Mesh> = {}): number => {
    const training = trainingWith({ precision: 'mixed', batch_size: b, ...changes });
    const { activations } = rankActivations(gpt3, training, { mesh: meshOf(mesh), pp_rank: 0 });
    return activations;
  };

  it('are sbh(34 + 5as/h) bytes a layer of the GPT architecture', () => {
    const layer = s * b * h * (34 + (5 * a * s) / h);
    expect(kept({}) - afterBlocks).toBeCloseTo(L * layer, -3);
  });

  it('are sbh(10 + 24/t + 5as/(ht)) on t tensor-parallel ranks', () => {
    const t = 8;
    const layer = s * b * h * (10 + 24 / t + (5 * a * s) / (h * t));
    expect(kept({}, { tp: t }) - afterBlocks).toBeCloseTo(L * layer, -3);
  });

  it('are 34sbh with selective recomputation, and 2sbh with full', () => {
    const selective = kept({ recompute_granularity: 'selective' }) - afterBlocks;
    expect(selective).toBeCloseTo(L * 34 * s * b * h, -3);
    const full = kept({ recompute_granularity: 'full' }) - afterBlocks;
    expect(full).toBeCloseTo(L * 2 * s * b * h, -3);
  });

  it('have the same gradients with selective recomputation, which is of attention scores alone', () => {
    // Temporaries are what exceeds the logits, so these must be small.
    const model = { ...gpt3, vocab_size: 1000 };
    const temporaries = (recompute_granularity: 'none' | 'selective'): number => {
      const training = trainingWith({ precision: 'mixed', batch_size: b, recompute_granularity });
      return rankActivations(model, training, { mesh: meshOf({}), pp_rank: 0 }).temporaries;
    };
    expect(temporaries('none')).toBeGreaterThan(0);
    expect(temporaries('selective')).toBe(temporaries('none'));
  });

  it('have float32 logits, 4sbv bytes', () => {
    const training = trainingWith({ precision: 'mixed', batch_size: b });
    const { logits } = rankActivations(gpt3, training, { mesh: meshOf({}), pp_rank: 0 });
    expect(logits).toBe(4 * s * b * v);
  });

  it('have no dropout masks where a model has no dropout', () => {
    const llama = published('llama_2_7b');
    const { n_embd: d, n_inner: f } = llama;
    expect(mixedActivations(llama)).toEqual({
      whole: 8 * d,
      split: 2 * 3 * d + 2 * d + 6 * f,
      scores: 2 * llama.n_head * llama.block_size,
    });
  });
});

type Pass = 'forward' | 'backward';

/** The passes of a rank in the order in which each schedule runs them; chunks are interchangeable. */
function passesOf(
  { schedule, pp, virtual_chunks }: Mesh,
  microbatches: number,
  rank: number,
): Pass[] {
  const all = microbatches * (schedule === 'interleaved' ? virtual_chunks : 1);
  const warmUp = {
    gpipe: all,
    '1f1b': Math.min(all, pp - rank - 1),
    interleaved: Math.min(all, (pp - rank - 1) * 2 + (virtual_chunks - 1) * pp),
  }[schedule];
  const steady = Array.from({ length: all - warmUp }, (): Pass[] => ['forward', 'backward']).flat();
  return [
    ...Array<Pass>(warmUp).fill('forward'),
    ...steady,
    ...Array<Pass>(warmUp).fill('backward'),
  ];
}

function mostInFlight(passes: readonly Pass[]): number {
  let held = 0;
  let most = 0;
  for (const pass of passes) {
    held += pass === 'forward' ? 1 : -1;
    most = Math.max(most, held);
  }
  expect(held).toBe(0);
  return most;
}

describe.each([
  meshOf({ pp: 4, schedule: 'gpipe' }),
  meshOf({ pp: 4, schedule: '1f1b' }),
  meshOf({ pp: 4, schedule: 'interleaved', virtual_chunks: 2 }),
  meshOf({ pp: 2, schedule: 'interleaved', virtual_chunks: 3 }),
])('the activations in flight of $schedule, $pp stages, $virtual_chunks chunks', (mesh) => {
  it.each([1, 2, 4, 8, 16])('are those of the schedule with %d micro-batches', (microbatches) => {
    for (let rank = 0; rank < mesh.pp; rank++)
      expect(chunksInFlight(mesh, microbatches, rank)).toBe(
        mostInFlight(passesOf(mesh, microbatches, rank)),
      );
  });
});

it('holds L(1 + (p-1)/(pv)) layers on the first stage of an interleaved pipeline', () => {
  const mesh = meshOf({ pp: 8, schedule: 'interleaved', virtual_chunks: 3 });
  const chunks = chunksInFlight(mesh, 64, 0);
  // L / (pv) layers are in a chunk (Korthikanti et al. 2022, section 4.2.3).
  expect(chunks / (8 * 3)).toBeCloseTo(1 + 7 / (8 * 3), 12);
});
