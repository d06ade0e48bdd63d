/** The field for the next question, with the sampling controls and Stop. */
import { ActionIcon, Button, Textarea } from '@mantine/core';
import { IconAdjustmentsHorizontal, IconPlayerStopFilled, IconSend } from '@tabler/icons-react';
import { useState, type KeyboardEvent } from 'react';
import {
  defaultConfig,
  getField,
  withField,
  type FieldPath,
  type SamplingConfig,
} from '../../config/index.ts';
import type { RunRecord } from '../../store/index.ts';
import type { Conversation } from '../../store/stages/chat.ts';
import { FieldControl } from '../recipe/FieldControl.tsx';
import { useChat } from './conversation.ts';

interface ComposerProps {
  models: readonly RunRecord[];
  conversation: Conversation;
}

/** Likely answers, and long enough for a short story. */
const FIRST_SAMPLING: SamplingConfig = {
  ...defaultConfig().sampling,
  temperature: 0.7,
  max_new_tokens: 96,
};

export function Composer({ models, conversation }: ComposerProps) {
  const [question, setQuestion] = useState('');
  const [sampling, setSampling] = useState(FIRST_SAMPLING);
  const [controlsOpen, setControlsOpen] = useState(false);
  const answering = useChat(({ exchanges }) =>
    (exchanges.at(-1)?.answers ?? []).some(
      ({ state }) => state === 'opening' || state === 'writing',
    ),
  );
  const ask = (): void => {
    if (answering || question.trim() === '') return;
    const runs = models.map(({ run }) => run);
    void conversation.ask(question, runs, sampling);
    setQuestion('');
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && answering) conversation.stop();
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    ask();
  };
  return (
    <section className="composer" aria-label="Your message">
      {controlsOpen ? <SamplingControls sampling={sampling} onChange={setSampling} /> : null}
      <div className="generate-row">
        <Textarea
          autosize
          minRows={1}
          maxRows={6}
          className="grow"
          aria-label="Message"
          aria-describedby="composer-keys"
          placeholder="Ask something"
          maxLength={20_000}
          value={question}
          onChange={(event) => setQuestion(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <ActionIcon
          title="Sampling controls"
          variant="default"
          size={36}
          aria-label="Sampling controls"
          aria-expanded={controlsOpen}
          onClick={() => setControlsOpen((open) => !open)}
        >
          <IconAdjustmentsHorizontal size={17} />
        </ActionIcon>
        {answering ? (
          <Button
            variant="light"
            leftSection={<IconPlayerStopFilled size={14} />}
            onClick={() => conversation.stop()}
          >
            Stop
          </Button>
        ) : (
          <Button
            leftSection={<IconSend size={15} />}
            disabled={question.trim() === ''}
            onClick={ask}
          >
            Send
          </Button>
        )}
      </div>
      <p className="small muted" id="composer-keys">
        Enter sends, Shift and Enter begins a new line, Escape stops.
      </p>
    </section>
  );
}

const CONTROLS: readonly FieldPath[] = [
  'sampling.max_new_tokens',
  'sampling.temperature',
  'sampling.top_k',
  'sampling.top_p',
  'sampling.sample_seed',
];

interface ControlsProps {
  sampling: SamplingConfig;
  onChange: (sampling: SamplingConfig) => void;
}

function SamplingControls({ sampling, onChange }: ControlsProps) {
  const config = { ...defaultConfig(), sampling };
  return (
    <div className="sampling-controls">
      {CONTROLS.map((path) => (
        <FieldControl
          key={path}
          path={path}
          value={getField(config, path)}
          onChange={(value) => {
            onChange(withField(config, path, value).sampling);
            return true;
          }}
          brief
        />
      ))}
    </div>
  );
}
