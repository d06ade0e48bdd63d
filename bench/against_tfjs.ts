/**
 * Every matrix product of a training step, alone and planned as a run plans it, beside tfjs's
 * kernel for the same: of the configurations and of the page's presets.
 * `bench.html?products=1&config=M,presets`.
 */
import { matMul, type Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  type Outputs,
  type Program,
  Store,
  timePrograms,
} from '../src/backend/index.ts';
import { PRESETS, resolveModel } from '../src/config/index.ts';
import { prepareMatmuls } from '../src/ops/index.ts';
import { matmulKernel } from '../src/ops/matmul/kernel.ts';
import { startDevice } from './device.ts';
import { normal } from './ops_list.ts';
import { type Product, productsOf, productsOfSizes, type SearchName } from './products.ts';

export type ProductsName = SearchName | 'presets';
export interface ProductsOptions {
  config: ProductsName;
}
export interface ProductsRow {
  /** Configuration or preset. */
  against: string;
  product: string;
  us: number;
  tfjsUs: number;
  tflops: number;
  adapter: string;
}

/** A vocabulary of characters, whatever the text. */
const CHARACTERS = 65;
const ROUNDS = 4;
/** Milliseconds of GPU time of one product in one round. */
const SLICE = 2;

interface Case {
  product: Product;
  stores: Store[];
  programs: [ours: Program<Outputs>, tfjs: Program<Outputs>];
  best: [number, number];
}

export async function measureProducts(
  { config }: ProductsOptions,
  log: (line: string) => void,
  keep: (rows: ProductsRow[]) => void,
): Promise<ProductsRow[]> {
  const {
    device: { adapter },
    check,
  } = await startDevice('webgpu');
  const rows: ProductsRow[] = [];
  await prepareMatmuls();
  for (const [name, products] of Object.entries(
    config === 'presets' ? ofPresets() : { [config]: productsOf(config) },
  )) {
    const distinct = [
      ...new Map(products.map((p) => [`${p.form} ${p.M}x${p.N}x${p.K}`, p])).values(),
    ];
    const cases: Case[] = [];
    for (const product of distinct) cases.push(await prepare(product));
    // The first round finds out how many repeats a slice is, and warms up.
    for (let round = 0, repeats: number[] = []; round <= ROUNDS; round++) {
      const timed = cases.flatMap((c, i) =>
        c.programs.map((program, k) => ({ program, repeats: repeats[2 * i + k] ?? 1 })),
      );
      const times = await timePrograms(timed);
      repeats = times.map((ms, i) =>
        round === 0
          ? Math.max(1, Math.min(500, Math.round(SLICE / (ms || SLICE))))
          : (repeats[i] ?? 1),
      );
      if (round > 0)
        cases.forEach((c, i) => {
          c.best = [
            Math.min(c.best[0], times[2 * i] ?? Infinity),
            Math.min(c.best[1], times[2 * i + 1] ?? Infinity),
          ];
        });
    }
    check();
    for (const {
      product: { form, M, N, K },
      best: [ours, tfjs],
      programs,
      stores,
    } of cases) {
      rows.push({
        against: name,
        product: `${form} ${M}x${N}x${K}`,
        us: 1000 * ours,
        tfjsUs: 1000 * tfjs,
        tflops: (2 * M * N * K) / ours / 1e9,
        adapter,
      });
      for (const p of programs) p.dispose();
      for (const s of stores) s.dispose();
    }
    keep(rows);
    const slower = rows.filter((r) => r.against === name && r.us > r.tfjsUs);
    log(
      `${name}: ${cases.length} products, ${slower.length === 0 ? 'none slower than tfjs' : `slower than tfjs: ${slower.map((r) => `${r.product} ${(r.us / r.tfjsUs).toFixed(2)}x`).join(', ')}`}`,
    );
  }
  return rows;
}

function ofPresets(): Record<string, Product[]> {
  return Object.fromEntries(
    PRESETS.map(({ id, config: { model, training, tokenizer } }) => {
      const m = resolveModel(model, tokenizer.kind === 'bpe' ? tokenizer.vocab_size : CHARACTERS);
      return [
        id,
        productsOfSizes({
          n: training.batch_size * m.block_size,
          d: m.n_embd,
          w: m.n_embd + 2 * m.head_dim * m.n_kv_head,
          f: m.n_inner,
          v: m.vocab_size,
        }),
      ];
    }),
  );
}

async function prepare(product: Product): Promise<Case> {
  const { form, M, N, K } = product;
  const shapes = {
    a: form === 'tn' ? [K, M] : [M, K],
    b: form === 'nt' ? [N, K] : [K, N],
    c: [M, N],
  };
  const stores = Object.entries(shapes).map(([name, shape]) => new Store(name, [{ name, shape }]));
  const get = (name: string): Tensor => {
    const s = stores.find((one) => one.names.includes(name));
    if (!s) throw new Error(`This product has no ${name}.`);
    return s.get(name);
  };
  for (const name of ['a', 'b'])
    stores.find((s) => s.names.includes(name))?.write(name, normal(get(name).size));
  const ours = await compileProgram('ours', (): Outputs => {
    matmulKernel(get('a'), get('b'), {
      transpose_a: form === 'tn',
      transpose_b: form === 'nt',
      to: get('c'),
    });
    return {};
  });
  const tfjs = await compileProgram('tfjs', (): Outputs => ({
    c: matMul(get('a'), get('b'), form === 'tn', form === 'nt'),
  }));
  return { product, stores, programs: [ours, tfjs], best: [Infinity, Infinity] };
}
