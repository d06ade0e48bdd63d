/** Words and colours that several parts of the lab share. */
import { placeOf } from '../../common/mesh.ts';
import type { Mesh } from '../../plan/parallel/index.ts';
import type { SpanKind } from '../../store/lab/index.ts';

const AXES = ['dp', 'tp', 'pp'] as const;

/** "Rank 3: dp 1, tp 1", with the axes that the mesh has. */
export function placeWords(mesh: Mesh, rank: number): string {
  const place = placeOf(mesh, rank);
  const axes = AXES.filter((axis) => mesh[axis] > 1).map((axis) => `${axis} ${place[axis]}`);
  return axes.length > 0 ? `Rank ${rank}: ${axes.join(', ')}` : `Rank ${rank}`;
}

export const SPAN_LABELS: Readonly<Record<SpanKind, { label: string; colour: string }>> = {
  compute: { label: 'Forward and backward', colour: 'var(--c-train)' },
  forward: { label: 'Forward', colour: 'var(--c-train)' },
  backward: { label: 'Backward', colour: 'var(--c-speed)' },
  update: { label: 'Update', colour: 'var(--c-grad)' },
  communicate: { label: 'Communicate', colour: 'var(--c-val)' },
  wait: { label: 'Wait', colour: 'var(--c-over-1)' },
};
