/** What the train view shows of a stage beside the charts and the answers. */
import { useState } from 'react';
import { useRun } from '../../context.tsx';
import { Segmented } from '../../Segmented.tsx';
import { AboutStage } from './AboutStage.tsx';
import { InsideStep } from './InsideStep.tsx';
import '../../styles/stage_run.css';

type View = 'inside' | 'about';

const VIEWS = [
  { value: 'inside', label: 'Inside a step' },
  { value: 'about', label: 'How it works' },
] as const;

export default function StageParts() {
  const stage = useRun((state) => state.stage);
  const [view, setView] = useState<View>('about');
  if (!stage) return null;
  // A step of SFT does the same to every token that counts.
  const hasInside = stage.objective !== 'sft';
  return (
    <section className="stage-parts" aria-label="The stage">
      {hasInside ? (
        <Segmented label="Part of the stage" options={VIEWS} value={view} onChange={setView} />
      ) : null}
      {hasInside && view === 'inside' ? <InsideStep /> : <AboutStage stage={stage} />}
    </section>
  );
}
