/** Text that the model generates on request, streamed to the page token by token. */
import type { GenerationEnd, WeightsChoice } from '../common/index.ts';
import type { SamplingConfig } from '../config/index.ts';
import type { Event, TokenPiece } from '../protocol/index.ts';
import type { BestKeeper } from './best.ts';
import { generatePieces } from './samples.ts';
import type { RunTrainer } from './services.ts';
import type { PreparedText } from './prepared_text.ts';

/** Tokens are sent to the page in groups of this many milliseconds. */
const GROUP_MS = 16;

export interface GenerationRequest {
  id: number;
  prompt: string;
  sampling: SamplingConfig;
  /** By default, the weights as they are now. */
  weights?: WeightsChoice | undefined;
}

export interface GenerationsOptions {
  trainer: RunTrainer;
  best: BestKeeper;
  text: PreparedText;
  emit: (event: Event) => void;
  runEnded: () => boolean;
}

export class Generations {
  readonly #trainer: RunTrainer;
  readonly #best: BestKeeper;
  readonly #text: PreparedText;
  readonly #emit: (event: Event) => void;
  readonly #runEnded: () => boolean;
  readonly #stopped = new Set<number>();

  constructor({ trainer, best, text, emit, runEnded }: GenerationsOptions) {
    this.#trainer = trainer;
    this.#best = best;
    this.#text = text;
    this.#emit = emit;
    this.#runEnded = runEnded;
  }

  stop(id: number): void {
    this.#stopped.add(id);
  }

  /** Streams tokens until the text or the limit ends, or until it is stopped. */
  async generate({ id, prompt, sampling, weights }: GenerationRequest): Promise<GenerationEnd> {
    const isCancelled = (): boolean => this.#stopped.has(id) || this.#runEnded();
    const groups = new TokenGroups((pieces) => this.#emit({ type: 'token', id, pieces }));
    let count = 0;
    try {
      const generator = await (weights === 'best'
        ? this.#best.generation()
        : this.#trainer.generation());
      const source = { generator, text: this.#text, stopped: isCancelled };
      for await (const piece of generatePieces(source, prompt, sampling)) {
        count++;
        groups.add(piece);
      }
      if (isCancelled()) return 'cancelled';
      return count < sampling.max_new_tokens ? 'stop' : 'length';
    } finally {
      groups.flush();
      this.#stopped.delete(id);
    }
  }
}

/** Collects tokens for GROUP_MS, so that the page draws many at once. */
export class TokenGroups {
  #waiting: TokenPiece[] = [];
  readonly #send: (pieces: TokenPiece[]) => void;

  constructor(send: (pieces: TokenPiece[]) => void) {
    this.#send = send;
  }

  add(piece: TokenPiece): void {
    if (this.#waiting.push(piece) === 1) setTimeout(() => this.flush(), GROUP_MS);
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    this.#send(this.#waiting);
    this.#waiting = [];
  }
}
