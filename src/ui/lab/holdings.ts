/** Which parts of the model each rank holds, for the picture of the mesh. Pure functions. */
import { placeOf } from '../../common/mesh.ts';
import { chunksOf, type Mesh } from '../../plan/parallel/index.ts';

/** A column of the picture: the embedding, a layer, or the head. */
export interface Unit {
  name: string;
  /** The name in a narrow column. */
  short: string;
}

export interface Holding {
  unit: Unit;
  isHeld: boolean;
}

/** The embedding, the layers and the head. */
export function unitsOf(n_layer: number): Unit[] {
  const layers = Array.from({ length: n_layer }, (_, layer) => ({
    name: `layer ${layer + 1}`,
    short: String(layer + 1),
  }));
  return [{ name: 'embedding', short: 'E' }, ...layers, { name: 'head', short: 'H' }];
}

/** The stage that holds a layer. Chunk c of stage s is virtual stage c p + s; all have equally many layers. */
export function stageOfLayer(mesh: Mesh, n_layer: number, layer: number): number {
  const perChunk = n_layer / (mesh.pp * chunksOf(mesh));
  return Math.floor(layer / perChunk) % mesh.pp;
}

export function holdingsOf(mesh: Mesh, n_layer: number, rank: number): Holding[] {
  const { pp } = placeOf(mesh, rank);
  return unitsOf(n_layer).map((unit, index) => {
    const isEmbedding = index === 0;
    const isHead = index === n_layer + 1;
    if (isEmbedding) return { unit, isHeld: pp === 0 };
    if (isHead) return { unit, isHeld: pp === mesh.pp - 1 };
    return { unit, isHeld: stageOfLayer(mesh, n_layer, index - 1) === pp };
  });
}

const SHARED = ['', 'the moments', 'the moments and gradients', 'everything'] as const;

/** "Rank 3 holds slice 2 of 2 of embedding, layer 1, head; of the moments, part 2 of 2" */
export function holdingWords(mesh: Mesh, n_layer: number, rank: number): string {
  const place = placeOf(mesh, rank);
  const held = holdingsOf(mesh, n_layer, rank).filter(({ isHeld }) => isHeld);
  const names = held.map(({ unit }) => unit.name).join(', ');
  const slice = mesh.tp > 1 ? `slice ${place.tp + 1} of ${mesh.tp} of ` : '';
  const zero =
    mesh.zero_stage > 0 && mesh.dp > 1
      ? `; of ${SHARED[mesh.zero_stage]}, part ${place.dp + 1} of ${mesh.dp}`
      : '';
  return `Rank ${rank} holds ${slice}${names}${zero}`;
}
