/**
 * LoRA (Hu et al. 2021; PEFT's LoraConfig): y = x W + (alpha / r) dropout(x) A B for every targeted
 * linear layer. Loaded only by runs that have adapters.
 *
 * Parts that are packed side by side share one dropout mask, because they share one matmul; in PEFT
 * each has a mask of its own. Without dropout the values are PEFT's.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ResolvedModel } from '../config/index.ts';
import type { PeftConfig } from '../config/stage/index.ts';
import { activate, lowRankAdd } from '../ops/alignment.ts';
import { dropout, linear, type MlpAttrs } from '../ops/index.ts';
import { type LoraLayer, loraLayers, loraScale } from './adapter_parameters.ts';
import type { AdaptedPass, Adapters, LayerValues } from './weights.ts';

/** Dropout sites of adapters begin here, far beyond those of the blocks. */
const FIRST_SITE = 1_000_000;

export class LoraAdapters implements Adapters {
  readonly #layers: ReadonlyMap<string, LoraLayer>;
  readonly #scale: number;
  readonly #dropout: number;

  /** `layers` are the adapted ones; a rank may have a part of each. */
  constructor(
    model: ResolvedModel,
    peft: PeftConfig,
    layers: readonly LoraLayer[] = loraLayers(model, peft),
  ) {
    this.#layers = new Map(layers.map((layer) => [layer.name, layer]));
    this.#scale = loraScale(peft);
    this.#dropout = peft.lora_dropout;
  }

  has(layer: string): boolean {
    return this.#layers.has(layer);
  }

  add(pass: AdaptedPass, { layer, x, base }: LayerValues): Tensor {
    const found = this.#layers.get(layer);
    if (!found) return base;
    const { tape, weights } = pass;
    const { a, b, parts } = found;
    const dropped = this.#dropped(pass, x, FIRST_SITE + found.index);
    const h = tape.apply(linear, { x: dropped, weight: weights.get(a.name) }, {}).y;
    const attrs = { scale: this.#scale, parts };
    return tape.apply(lowRankAdd, { base, h, b: weights.get(b.name) }, attrs).y;
  }

  activate({ tape }: AdaptedPass, x: Tensor, attrs: MlpAttrs): Tensor {
    return tape.apply(activate, { x }, attrs, { recompute: true }).y;
  }

  #dropped({ tape, inputs, training, block_size }: AdaptedPass, x: Tensor, site: number): Tensor {
    if (!training || this.#dropout === 0) return x;
    const attrs = { site, rate: this.#dropout, rows_per_sequence: block_size };
    return tape.apply(dropout, { x, rng: inputs.get('rng') }, attrs).y;
  }
}
