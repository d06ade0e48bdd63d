/** The voting of this page, which stays while other places are shown. */
import { useStore } from 'zustand';
import { createVotes, Voting, type VoteModels, type VoteState } from '../../store/stages/votes.ts';
import { useClient } from '../context.tsx';

const votes = createVotes();
let current: { models: VoteModels; voting: Voting } | null = null;

export function useVoting(): Voting {
  const { models } = useClient();
  if (current?.models !== models) current = { models, voting: new Voting(models, votes) };
  return current.voting;
}

export const useVotes = <T>(select: (state: VoteState) => T): T => useStore(votes, select);
