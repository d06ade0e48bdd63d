/** The voting of this page, which stays while other places are shown. */
import { useStore } from 'zustand';
import { createVotes, Voting, type VoteModels, type VoteState } from '../../store/stages/votes.ts';
import { useClient } from '../context.tsx';

const votes = createVotes();

export function useVoting(): Voting {
  const { models } = useClient();
  return votingOf(models);
}

const known = new WeakMap<VoteModels, Voting>();

function votingOf(models: VoteModels): Voting {
  const found = known.get(models) ?? new Voting(models, votes);
  known.set(models, found);
  return found;
}

export const useVotes = <T>(select: (state: VoteState) => T): T => useStore(votes, select);
