/** What the train view shows of a stage beside the charts and the answers. */
import { useState } from 'react';
import type { StageConfig } from '../../../config/stage/index.ts';
import { useRun } from '../../context.tsx';
import { Segmented } from '../../Segmented.tsx';
import { AboutStage } from './AboutStage.tsx';
import { InsideStep } from './InsideStep.tsx';
import { RewardAndTruth } from './RewardAndTruth.tsx';
import '../../styles/stage_run.css';

type View = 'inside' | 'about' | 'truth';

const INSIDE = { value: 'inside', label: 'Inside a step' } as const;
const ABOUT = { value: 'about', label: 'How it works' } as const;
const TRUTH = { value: 'truth', label: 'Reward and truth' } as const;

/** A step of SFT does the same to every token that counts, so there is nothing to see inside. */
function viewsOf({ objective }: StageConfig) {
  if (objective === 'sft') return [ABOUT];
  const maximizesReward = objective === 'ppo' || objective === 'grpo';
  return maximizesReward ? [INSIDE, ABOUT, TRUTH] : [INSIDE, ABOUT];
}

export default function StageParts() {
  const stage = useRun((state) => state.stage);
  const [view, setView] = useState<View>('about');
  if (!stage) return null;
  const views = viewsOf(stage);
  const shown = views.some(({ value }) => value === view) ? view : 'about';
  return (
    <section className="stage-parts" aria-label="The stage">
      {views.length > 1 ? (
        <Segmented label="Part of the stage" options={views} value={shown} onChange={setView} />
      ) : null}
      <Shown view={shown} stage={stage} />
    </section>
  );
}

function Shown({ view, stage }: { view: View; stage: StageConfig }) {
  switch (view) {
    case 'inside':
      return <InsideStep />;
    case 'about':
      return <AboutStage stage={stage} />;
    case 'truth':
      return <RewardAndTruth stage={stage} />;
    default:
      return view satisfies never;
  }
}
