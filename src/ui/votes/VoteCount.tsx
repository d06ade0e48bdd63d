/** How many votes there are, undo, export, and the stages that learn from them. */
import { Button } from '@mantine/core';
import { IconArrowBackUp, IconDownload, IconPlus } from '@tabler/icons-react';
import type { RunRecord } from '../../store/index.ts';
import { beginStage, newStage, setStageField } from '../../store/stages/new_stage.ts';
import { decided, preferenceLines, type Voting } from '../../store/stages/votes.ts';
import { goToModels } from '../place.ts';
import { fileName, saveFile } from '../transfer.ts';
import { useVotes } from './voting.ts';

interface CountProps {
  model: RunRecord;
  voting: Voting;
}

/** Fewer votes than this are better beside generated pairs. */
const ENOUGH_ALONE = 20;

export function VoteCount({ model, voting }: CountProps) {
  const votes = useVotes((state) => state.votes);
  const preferences = decided(votes).length;
  const learn = (objective: 'dpo' | 'reward'): void => {
    beginStage(newStage, model, objective);
    setStageField(newStage, 'dataset.votes', preferences < ENOUGH_ALONE ? 'beside' : 'only');
    goToModels('new_stage', model.run);
  };
  return (
    <section className="vote-count" aria-label="Your votes">
      <p data-testid="vote-count" role="status">
        {countText(votes.length, preferences)}
      </p>
      <div className="vote-actions">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconArrowBackUp size={14} />}
          rightSection={<kbd>u</kbd>}
          disabled={votes.length === 0}
          onClick={() => void voting.undo()}
        >
          Undo
        </Button>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconDownload size={14} />}
          disabled={preferences === 0}
          onClick={() =>
            saveFile(
              `${fileName(model.name)}-votes.jsonl`,
              preferenceLines(votes),
              'application/jsonl',
            )
          }
        >
          Export as .jsonl
        </Button>
        <Button
          size="xs"
          variant="light"
          leftSection={<IconPlus size={14} />}
          disabled={preferences === 0}
          onClick={() => learn('dpo')}
        >
          Train DPO on them
        </Button>
        <Button
          size="xs"
          variant="light"
          leftSection={<IconPlus size={14} />}
          disabled={preferences === 0}
          onClick={() => learn('reward')}
        >
          Train a reward model on them
        </Button>
      </div>
    </section>
  );
}

function countText(votes: number, preferences: number): string {
  if (votes === 0) return 'No votes yet. They are kept with the model.';
  const counted = `${votes} ${votes === 1 ? 'vote' : 'votes'}`;
  const neither = votes - preferences;
  return neither === 0 ? `${counted}.` : `${counted}, ${neither} of them for neither.`;
}
