/** Which models answer, the system prompt, and what can be done with the conversation. */
import { ActionIcon, Button, Textarea } from '@mantine/core';
import { IconColumns2, IconCopy, IconDownload, IconTrash, IconX } from '@tabler/icons-react';
import { DTYPES, stageLabel } from '../../config/stage/index.ts';
import type { RunRecord } from '../../store/index.ts';
import { conversationLines, messagesOf, type Conversation } from '../../store/stages/chat.ts';
import type { ListedModel } from '../../store/stages/tree.ts';
import { useClient, useRun } from '../context.tsx';
import { copyText } from '../lesson/links.ts';
import { fileName, saveFile } from '../transfer.ts';
import { setDtype, setSystem, useChat } from './conversation.ts';

interface BarProps {
  models: readonly ListedModel[];
  chosen: readonly RunRecord[];
  /** '' removes the model. */
  onChoose: (index: number, run: string) => void;
  conversation: Conversation;
}

export function ChatBar({ models, chosen, onChoose, conversation }: BarProps) {
  const isSplit = chosen.length > 1;
  const other = models.find(({ record }) => !chosen.includes(record));
  return (
    <div className="chat-bar">
      <div className="chat-models" data-split={isSplit || undefined}>
        {chosen.map((record, index) => (
          <div key={index} className="chat-model">
            <ModelSelect
              label={index === 0 ? 'Model' : 'Second model'}
              models={models}
              value={record.run}
              onChange={(run) => onChoose(index, run)}
            />
            {isSplit ? (
              <ActionIcon
                variant="subtle"
                color="gray"
                size={30}
                aria-label={`Remove ${record.name}`}
                onClick={() => onChoose(index, '')}
              >
                <IconX size={15} />
              </ActionIcon>
            ) : null}
          </div>
        ))}
        {isSplit || !other ? null : (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconColumns2 size={15} />}
            onClick={() => onChoose(1, other.record.run)}
          >
            Compare with another model
          </Button>
        )}
        <WeightsChoice />
      </div>
      <Notes runs={chosen.map(({ run }) => run)} />
      <System />
      <ConversationActions chosen={chosen} conversation={conversation} />
    </div>
  );
}

interface SelectProps {
  label: string;
  models: readonly ListedModel[];
  /** '' if none is chosen. */
  value: string;
  onChange: (run: string) => void;
}

export function ModelSelect({ label, models, value, onChange }: SelectProps) {
  return (
    <select
      className="native-select"
      aria-label={label}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {value === '' ? <option value="">Choose a model</option> : null}
      {models.map(({ record, depth }) => (
        <option key={record.run} value={record.run}>
          {`${'\u2003'.repeat(depth)}${record.name}`}
        </option>
      ))}
    </select>
  );
}

/** Only WebGPU can keep weights in float16. */
function WeightsChoice() {
  const dtype = useChat((state) => state.dtype);
  const isOnWebGpu = useRun((state) => state.device?.backend === 'webgpu');
  if (!isOnWebGpu) return null;
  const { names = {}, options = {} } = stageLabel('peft.dtype');
  return (
    <div className="chat-model">
      <select
        className="native-select"
        aria-label="Weights of the models"
        title={options[dtype]}
        value={dtype}
        onChange={(event) =>
          setDtype(event.currentTarget.value === 'float16' ? 'float16' : 'float32')
        }
      >
        {DTYPES.map((option) => (
          <option key={option} value={option}>
            Weights in {names[option] ?? option}
          </option>
        ))}
      </select>
    </div>
  );
}

/** What opening the models has changed. */
function Notes({ runs }: { runs: readonly string[] }) {
  const opened = useChat((state) => state.opened);
  const notes = new Set(runs.flatMap((run) => opened[run]?.notes ?? []));
  return [...notes].map((note) => (
    <p key={note} className="small muted" role="status">
      {note}
    </p>
  ));
}

function System() {
  const system = useChat((state) => state.system);
  return (
    <details className="more chat-system" open={system !== '' || undefined}>
      <summary>System prompt</summary>
      <Textarea
        autosize
        minRows={1}
        maxRows={4}
        aria-label="System prompt"
        placeholder="An instruction that stands before the conversation"
        value={system}
        onChange={(event) => setSystem(event.currentTarget.value)}
      />
    </details>
  );
}

function ConversationActions({ chosen, conversation }: Pick<BarProps, 'chosen' | 'conversation'>) {
  const client = useClient();
  const state = useChat((whole) => whole);
  if (state.exchanges.length === 0) return null;
  const runs = chosen.map(({ run }) => run);
  const copy = async (): Promise<void> => {
    const text = chosen
      .map((record) => {
        const lines = messagesOf(state, record.run).map(
          ({ role, content }) => `${role}: ${content}`,
        );
        return [`# ${record.name}`, ...lines].join('\n\n');
      })
      .join('\n\n');
    client.notify(
      (await copyText(text))
        ? 'The conversation was copied.'
        : 'The browser did not allow copying. Save the conversation instead.',
    );
  };
  const [first] = chosen;
  return (
    <div className="chat-actions">
      <Button
        size="xs"
        variant="subtle"
        leftSection={<IconCopy size={14} />}
        onClick={() => void copy()}
      >
        Copy
      </Button>
      <Button
        size="xs"
        variant="subtle"
        leftSection={<IconDownload size={14} />}
        onClick={() =>
          saveFile(
            `${fileName(first?.name ?? 'chat')}-chat.jsonl`,
            conversationLines(state, runs),
            'application/jsonl',
          )
        }
      >
        Save as .jsonl
      </Button>
      <Button
        size="xs"
        variant="subtle"
        color="gray"
        leftSection={<IconTrash size={14} />}
        onClick={() => conversation.clear()}
      >
        New conversation
      </Button>
    </div>
  );
}
