/** Opens the .jsonl file of a stage that learns from the user's own examples. */
import { Button } from '@mantine/core';
import { IconFileText } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import type { StageObjective, StageProblem } from '../../config/stage/index.ts';
import { bytes } from '../../store/index.ts';
import { isOfFile, newStage } from '../../store/stages/new_stage.ts';
import { useNewStage } from './useNewStage.ts';

/** Columns of each objective, as TRL has them. */
const COLUMNS: Readonly<Record<StageObjective, string>> = {
  sft: '{"prompt": …, "completion": …}, {"messages": […]} or {"text": …}',
  reward: '{"prompt": …, "chosen": …, "rejected": …}, perhaps with a "margin"',
  dpo: '{"prompt": …, "chosen": …, "rejected": …}',
  ppo: '{"prompt": …}',
  grpo: '{"prompt": …, "answer": …}',
};

const MAX_BYTES = 64 * 2 ** 20;

export function DataFile({ problems }: { problems: readonly StageProblem[] }) {
  const picker = useRef<HTMLInputElement>(null);
  const [failure, setFailure] = useState('');
  const file = useNewStage((state) => state.file);
  const objective = useNewStage((state) => state.stage.objective);
  const refused = useNewStage((state) => state.failure);
  const ofFile = refused && isOfFile(refused) ? refused : undefined;
  const problem = problems.find(({ field }) => field === 'file') ?? ofFile;
  const open = async (chosen: File): Promise<void> => {
    setFailure(await openFile(chosen));
  };
  return (
    <div className="data-file">
      <Button
        size="xs"
        variant="default"
        leftSection={<IconFileText size={15} />}
        onClick={() => picker.current?.click()}
      >
        {file ? 'Open another file' : 'Open a .jsonl file'}
      </Button>
      <input
        ref={picker}
        type="file"
        accept=".jsonl,.ndjson,.json,application/jsonl,application/x-ndjson"
        hidden
        aria-label="Examples as JSON lines"
        data-testid="stage-file"
        onChange={(event) => {
          const [chosen] = event.currentTarget.files ?? [];
          event.currentTarget.value = '';
          if (chosen) void open(chosen);
        }}
      />
      {file ? (
        <span className="small">
          <b>{file.name}</b> <span className="muted">{bytes(file.bytes.length)}</span>
        </span>
      ) : null}
      <p className="field-help">
        One example per line, in the columns of TRL: <code>{COLUMNS[objective]}</code>
      </p>
      {failure || problem ? (
        <p className="field-problem" role="alert">
          {failure || `${problem?.message ?? ''} ${problem?.hint ?? ''}`}
        </p>
      ) : null}
    </div>
  );
}

/** Takes the file into the form. Returns why it could not be read; '' if it was. */
async function openFile(file: File): Promise<string> {
  if (file.size > MAX_BYTES)
    return `${file.name} has ${bytes(file.size)}. Open a file of at most ${bytes(MAX_BYTES)}.`;
  try {
    const content = new Uint8Array(await file.arrayBuffer());
    newStage.setState({ file: { name: file.name, bytes: content } });
    return '';
  } catch {
    return `${file.name} could not be read. Open it again.`;
  }
}
