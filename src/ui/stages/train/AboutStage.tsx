/** The explanation of a stage: its loss as a formula, what to look for, what usually goes wrong. */
import { objectiveLabel, type StageConfig } from '../../../config/stage/index.ts';
import { explanationOf } from './explanations.ts';
import { Formula } from './Formula.tsx';

/** Between formulas that stand on lines of their own. */
const BREAK = ',\\qquad ';

export function AboutStage({ stage }: { stage: StageConfig }) {
  const { name, does } = objectiveLabel(stage.objective);
  const { loss, symbols, look, wrong } = explanationOf(stage);
  return (
    <section className="about-stage" aria-label={`About ${name}`}>
      <p>{does}</p>
      {loss.split(BREAK).map((tex) => (
        <Formula key={tex} tex={tex} display />
      ))}
      <dl className="symbols">
        {symbols.map(([tex, words]) => (
          <div key={tex}>
            <dt>
              <Formula tex={tex} />
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <div className="about-columns">
        <Points title="What to look for" points={look} />
        <Points title="What usually goes wrong" points={wrong} />
      </div>
    </section>
  );
}

function Points({ title, points }: { title: string; points: readonly string[] }) {
  return (
    <div>
      <h3>{title}</h3>
      <ul>
        {points.map((point) => (
          <li key={point}>{point}</li>
        ))}
      </ul>
    </div>
  );
}
