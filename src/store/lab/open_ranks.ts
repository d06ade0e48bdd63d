/** Opens all ranks of a run. */
import { type Mesh, worldSize } from '../../common/index.ts';
import type { RunConfig, RuntimeConfig } from '../../config/index.ts';
import type { StageConfig } from '../../config/stage/index.ts';
import type { ChildRun, OpenedFiles } from '../../protocol/index.ts';
import type { LabOrigin, LabState } from './lab_state.ts';
import { RankLinks } from './rank_links.ts';

export interface LabStart {
  mesh: Mesh;
  config: RunConfig;
  files: OpenedFiles;
  backend: RuntimeConfig['backend'];
  name: string;
  /** A saved run whose last checkpoint is continued; null for a new run. */
  from: LabOrigin | null;
  /** The stage that is trained; null for pretraining. */
  stage: StageConfig | null;
  /** What a new run takes from a parent; null for new weights. */
  child: ChildRun | null;
}

type OpenedFacts = Pick<
  LabState,
  | 'backend'
  | 'n_params'
  | 'vocab_size'
  | 'model'
  | 'row_length'
  | 'held_out_prompts'
  | 'train_pairs'
  | 'step'
>;

/** Joins the ranks by ports, and resolves once all are open. Rejects with the first RankError. */
export async function openRanks(links: RankLinks, start: LabStart): Promise<Partial<OpenedFacts>> {
  const { mesh, config, files, backend, from, child } = start;
  const size = worldSize(mesh);
  // Ranks compare with each other only if none has more threads than another.
  links.start({ type: 'set_threads', threads: 1 });
  const ports = RankLinks.join(size);
  const reducerPorts = RankLinks.join(size);
  const [first] = await links.all((link, rank) =>
    link.request((id) => ({
      type: 'open_rank',
      id,
      rank,
      mesh,
      config,
      backend,
      ports: [...(ports[rank] ?? [])],
      reducer_ports: [...(reducerPorts[rank] ?? [])],
      resume: from?.run ?? null,
      child,
      ...files,
    })),
  );
  if (!first) return {};
  const { backend: used, n_params, vocab_size, model } = first;
  const { row_length, held_out_prompts, train_pairs } = first;
  const data = { row_length, held_out_prompts, train_pairs };
  return { backend: used, n_params, vocab_size, model, ...data, step: from?.step ?? 0 };
}
