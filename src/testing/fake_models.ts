/** Saved models of the scripted worker: they answer at once, word by word, and keep votes. */
import type { Vote } from '../common/index.ts';
import type {
  ChatCommand,
  EvaluateCommand,
  Event,
  ModelCommand,
  OpenedModel,
  RunRecord,
} from '../protocol/index.ts';
import { fakeEvaluation } from './fake_evaluation.ts';
import type { FakeOutbox } from './fake_outbox.ts';
import { inspectedStep, rolloutRecords, stageSamples } from './fake_stage_run.ts';
import type { FakeTraining } from './fake_training.ts';

const TOKEN_MS = 60;
const CONTEXT = 128;

export class FakeModels {
  readonly #outbox: FakeOutbox;
  readonly #training: FakeTraining;
  readonly #records: () => readonly RunRecord[];
  readonly #stopped = new Set<number>();
  #votes: Vote[] = [];

  constructor(outbox: FakeOutbox, training: FakeTraining, records: () => readonly RunRecord[]) {
    this.#outbox = outbox;
    this.#training = training;
    this.#records = records;
  }

  stop(id: number): void {
    this.#stopped.add(id);
  }

  handle(command: ModelCommand): void {
    const send = (event: Event): void => this.#outbox.emit(event);
    switch (command.type) {
      case 'open_model':
        return this.#outbox.after(300, () =>
          send({ type: 'model_opened', id: command.id, opened: this.#opened(command.model) }),
        );
      case 'close_model':
        return send({ type: 'model_closed', id: command.id, model: command.model });
      case 'chat':
        return this.#chat(command);
      case 'draw_prompts':
        return send({ type: 'prompts', id: command.id, prompts: drawn(command.dataset.size) });
      case 'vote':
        this.#votes = [...this.#votes, command.vote];
        return this.#tellVotes(command.id, command.vote.run);
      case 'undo_vote':
        this.#votes = this.#votes.slice(0, -1);
        return this.#tellVotes(command.id, command.run);
      case 'read_votes':
        return this.#tellVotes(command.id, command.run);
      case 'inspect': {
        const { stage, step } = this.#training;
        const shown = stage && step > 0 ? inspectedStep(stage, step) : null;
        return send({ type: 'inspected', id: command.id, step: shown });
      }
      case 'read_rollouts': {
        const rollouts = rolloutRecords(this.#training.step);
        return send({ type: 'rollouts', id: command.id, run: command.run, rollouts, dropped: 0 });
      }
      case 'read_evaluations':
        return send({ type: 'evaluations', id: command.id, evaluations: [] });
      case 'score':
        return send({ type: 'scores', id: command.id, scores: command.answers.map(() => 0) });
      case 'evaluate':
        return this.#evaluate(command);
      case 'cancel_evaluation':
      case 'train_round':
      case 'end_rounds':
      case 'keep_pool':
        return;
      case 'read_pool':
        return send({ type: 'pool', id: command.id, bytes: null });
      default:
        command satisfies never;
    }
  }

  #evaluate(command: EvaluateCommand): void {
    const { id, model, dataset } = command;
    const { eval_size: total } = dataset;
    const progress = { type: 'evaluation_progress', job: id, of: 'Answers', total } as const;
    this.#outbox.emit({ ...progress, done: Math.floor(total / 3) });
    this.#outbox.after(900, () => {
      const { checkpoint, lineage } = this.#opened(model);
      const records = [fakeEvaluation(command, checkpoint, lineage.objective)];
      this.#outbox.emit({ type: 'evaluated', id, records });
    });
  }

  #tellVotes(id: number, run: string): void {
    this.#outbox.emit({ type: 'votes', id, run, votes: this.#votes });
  }

  #opened(model: string): OpenedModel {
    const record = this.#records().find(({ run }) => run === model);
    const objective = record?.lineage.objective ?? 'pretrain';
    const { name = model, step = 0 } = record ?? {};
    return {
      model,
      checkpoint: { run: model, name, step, weights: 'last' },
      lineage: record?.lineage ?? { objective, parent: null, dataset: '' },
      n_params: record?.n_params ?? 0,
      bytes: 2_000_000,
      block_size: CONTEXT,
      vocab_size: 512,
      vocabulary: 'scripted',
      chats: objective !== 'pretrain',
      is_reward: objective === 'reward',
      notes: [],
    };
  }

  #chat({ id, model, prompt, sampling }: ChatCommand): void {
    const turn = prompt.length + sampling.sample_seed;
    const samples = stageSamples(turn, model === 'base' ? 0 : 1);
    const { tokens = [] } = samples[turn % samples.length] ?? {};
    let written = '';
    const next = (index: number): void => {
      const piece = tokens[index];
      if (!piece || this.#stopped.has(id)) {
        const reason = piece ? 'cancelled' : 'stop';
        const context_left = CONTEXT - 2 * tokens.length;
        const counts = { prompt_tokens: tokens.length, tokens: index + 1, context_left };
        this.#outbox.emit({ type: 'chat_done', id, reason, text: written, ...counts });
        return;
      }
      written += piece.text;
      this.#outbox.emit({ type: 'token', id, pieces: [piece] });
      this.#outbox.after(TOKEN_MS, () => next(index + 1));
    };
    next(0);
  }
}

const drawn = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `Where did ${['Mia', 'Tom', 'Anna'][i % 3]} go?`);
