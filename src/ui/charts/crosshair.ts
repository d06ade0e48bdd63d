/** The crosshair: one position on the x axis, drawn on all charts, and the range being selected. */
import { create } from 'zustand';

interface CrosshairState {
  /** In the unit of the axis; null hides the crosshair. */
  x: number | null;
  /** Where the selection started; it ends at `x`. */
  from: number | null;
}

export const HIDDEN: CrosshairState = { x: null, from: null };

export const useCrosshair = create<CrosshairState>(() => HIDDEN);

/** The selected range, or null if it is shorter than a share of the visible one. */
export function selectedRange(
  { x, from }: CrosshairState,
  [low, high]: readonly [number, number],
): readonly [number, number] | null {
  if (x === null || from === null) return null;
  if (Math.abs(x - from) <= (high - low) * MIN_SELECTION) return null;
  return [Math.min(x, from), Math.max(x, from)];
}

/** Shorter drags, as a share of the visible range, are clicks. */
const MIN_SELECTION = 0.01;
