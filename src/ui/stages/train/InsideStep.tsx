/** The latest batch of a stage, token by token, coloured by what the loss does to it. */
import { Button } from '@mantine/core';
import { IconDownload, IconRefresh } from '@tabler/icons-react';
import { useEffect, useMemo, useState } from 'react';
import type { ShownStep } from '../../../common/index.ts';
import { count } from '../../../store/index.ts';
import {
  groupsOf,
  quantitiesOf,
  QUANTITIES,
  scaleOf,
  type Quantity,
} from '../../../store/stages/inside.ts';
import { downloadRollouts, inspectStep, useInside } from './inspect.ts';
import { useClient, useRun } from '../../context.tsx';
import { Segmented } from '../../Segmented.tsx';
import { InspectedGroupView } from './InspectedGroup.tsx';
import { Legend } from './Legend.tsx';
import { RewardHint } from './Rewards.tsx';

export function InsideStep() {
  const client = useClient();
  const inside = useInside();
  const run = useRun((state) => state.run);
  const samplesAnswers = useRun(
    ({ stage }) => stage?.objective === 'ppo' || stage?.objective === 'grpo',
  );
  useEffect(() => {
    void inspectStep(client);
  }, [client, run]);
  const { shown, loading, problem } = inside;
  return (
    <section className="inside-step" aria-label="Inside a step">
      <div className="inside-tools">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconRefresh size={14} />}
          loading={loading}
          onClick={() => void inspectStep(client)}
        >
          Latest batch
        </Button>
        {samplesAnswers ? (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconDownload size={14} />}
            onClick={() => void downloadRollouts(client)}
          >
            Rollouts as JSON lines
          </Button>
        ) : null}
      </div>
      {problem ? (
        <p className="small sample-problem" role="alert">
          {problem}
        </p>
      ) : null}
      {shown ? <ShownBatch step={shown} /> : <NothingYet loading={loading} />}
    </section>
  );
}

const NothingYet = ({ loading }: { loading: boolean }) => (
  <p className="empty">
    {loading ? 'Reading the latest batch…' : 'After the first step, its batch can be seen here.'}
  </p>
);

/** Groups that are shown at first; the others on demand. */
const FIRST_GROUPS = 4;

function ShownBatch({ step }: { step: ShownStep }) {
  const quantities = useMemo(() => quantitiesOf(step), [step]);
  const [chosen, setChosen] = useState<Quantity | null>(null);
  const [all, setAll] = useState(false);
  const [fallback = 'mask'] = quantities;
  const quantity = chosen !== null && quantities.includes(chosen) ? chosen : fallback;
  const groups = useMemo(() => groupsOf(step), [step]);
  const scale = scaleOf(step, quantity);
  const rewardKeys = Object.keys(step.rows[0]?.rewards ?? {});
  const silent = groups.filter(({ no_signal }) => no_signal).length;
  const shown = all ? groups : groups.slice(0, FIRST_GROUPS);
  return (
    <>
      <div className="inside-tools">
        <Segmented
          label="Colour tokens by"
          options={quantities.map((value) => ({ value, label: QUANTITIES[value].name }))}
          value={quantity}
          onChange={setChosen}
        />
        <Legend quantity={quantity} scale={scale} />
        <RewardHint keys={rewardKeys} />
      </div>
      <p className="small muted">
        {QUANTITIES[quantity].help} {summaryOf(step, groups.length, silent)}
      </p>
      <ol className="inspected-groups" data-testid="inside-step">
        {shown.map((group) => (
          <InspectedGroupView key={group.group} group={group} quantity={quantity} scale={scale} />
        ))}
      </ol>
      {groups.length > FIRST_GROUPS ? (
        <button type="button" className="link" onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${groups.length} prompts`}
        </button>
      ) : null}
    </>
  );
}

function summaryOf(step: ShownStep, groups: number, silent: number): string {
  const rows = step.rows.length;
  const what = `Step ${count(step.step)}: ${count(rows)} ${rows === 1 ? 'answer' : 'answers'}`;
  if (groups === rows) return `${what}.`;
  const grouped = `${what} to ${count(groups)} ${groups === 1 ? 'prompt' : 'prompts'}`;
  return silent === 0 ? `${grouped}.` : `${grouped}, ${count(silent)} without signal.`;
}
