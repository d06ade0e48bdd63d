/** A member's run without page and worker, for tests and the bench: a Trainer in this program. */
import type { RunConfig } from '../../config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../../data/index.ts';
import { pretrain } from '../../objectives/index.ts';
import { Trainer, type TrainerOptions } from '../../train/index.ts';
import type { LocalResult, LocalWork, PoolTrainer } from './pool_trainer.ts';

export async function trainerOptions(config: RunConfig): Promise<TrainerOptions> {
  const corpus = await loadCorpus(config.data);
  const split = makeSplit(corpus, { val_fraction: config.data.val_fraction });
  const tokenizer = await makeTokenizer(config.tokenizer, split);
  const { vocab_size } = tokenizer;
  return { config, objective: pretrain, split: makeTokenSplit(split, tokenizer), vocab_size };
}

export class LocalTrainer implements PoolTrainer {
  readonly trainer: Trainer;
  #cancelled = false;
  finished = false;

  private constructor(trainer: Trainer) {
    this.trainer = trainer;
  }

  static async create(options: TrainerOptions): Promise<LocalTrainer> {
    return new LocalTrainer(await Trainer.create(options));
  }

  prepare(): Promise<number> {
    return Promise.resolve(this.trainer.n_params);
  }

  async train(
    { parameters, step, steps, shard }: LocalWork,
    progress: (done: number) => void,
  ): Promise<LocalResult | null> {
    const { trainer } = this;
    const { tokens } = trainer;
    const began = performance.now();
    this.#cancelled = false;
    trainer.writeParameters(parameters);
    trainer.moveTo(step, shard);
    let sum = 0;
    for (let done = 0; done < steps && !this.#cancelled; done++) {
      await trainer.takeStep();
      for (const { loss } of await trainer.drain()) sum += loss;
      progress(done + 1);
      // Other members and the host have their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#cancelled) return null;
    return {
      parameters: await trainer.readParameters(),
      steps,
      tokens: trainer.tokens - tokens,
      seconds: (performance.now() - began) / 1000,
      loss: sum / steps,
    };
  }

  cancel(): void {
    this.#cancelled = true;
  }
  setPaused(): void {}

  async evaluate(parameters: Float32Array): Promise<number | null> {
    this.trainer.writeParameters(parameters);
    return (await this.trainer.evaluate(() => Promise.resolve())).score;
  }

  finish(parameters: Float32Array): Promise<void> {
    this.trainer.writeParameters(parameters);
    this.finished = true;
    return Promise.resolve();
  }
}
