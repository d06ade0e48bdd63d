/** One sentence on how the room is doing, from the point of view of this page. */
import { count } from '../../store/index.ts';
import type { RoomState } from '../../store/pool/index.ts';

export function roomSentence(state: RoomState): string {
  const { member, plan, rounds, phase } = state;
  switch (member) {
    case null:
    case 'connecting':
      if (state.needsCode) return 'This page is not connected to the host.';
      return state.answer === null ? 'Connecting to the room.' : 'Waiting for the host.';
    case 'preparing':
      return 'Preparing the text and the model.';
    case 'lost':
      if (state.needsCode) return 'The host cannot be reached until there is another code.';
      return 'The host cannot be reached. This page keeps trying.';
    case 'refused':
    case 'failed':
      return state.id === null
        ? 'This page could not join the room.'
        : 'This page is not in the room any more.';
    case 'left':
      return 'You have left the room.';
    case 'ended':
      return `The training is over after ${count(rounds)} rounds. The model is saved as a run.`;
    case 'paused':
      return 'The host has paused the training.';
    case 'waiting':
    case 'training': {
      if (phase === 'open') return 'The training has not begun yet.';
      const total = plan ? Math.ceil(plan.steps / plan.local_steps) : 0;
      const doing = member === 'training' ? 'training' : 'waiting for the others';
      return `Round ${count(rounds + 1)} of ${count(Math.max(total, rounds + 1))}: ${doing}.`;
    }
    default:
      return member satisfies never;
  }
}
