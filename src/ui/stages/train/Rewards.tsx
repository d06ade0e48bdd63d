/** The rewards of an answer as small labels, and what they mean. */
import type { Sample } from '../../../store/index.ts';
import { useRun } from '../../context.tsx';
import { FieldKey } from '../../FieldKey.tsx';
import { Hint } from '../../Hint.tsx';
import { rewardWords } from './reward_words.ts';

export function Rewards({ rewards = {} }: { rewards?: Sample['rewards'] }) {
  const stage = useRun((state) => state.stage);
  return Object.entries(rewards).map(([key, value]) => {
    const { label, help } = rewardWords(key, stage);
    return (
      <span key={key} className="reward" data-sign={Math.sign(value)} title={help || undefined}>
        {label} {rewardText(value)}
      </span>
    );
  });
}

/** Explains rewards by click, touch and keyboard: the titles of the labels need a mouse. */
export function RewardHint({ keys }: { keys: readonly string[] }) {
  const stage = useRun((state) => state.stage);
  const words = keys.map((key) => rewardWords(key, stage)).filter(({ help }) => help);
  if (words.length === 0) return null;
  return (
    <Hint about="the rewards">
      <h3>Rewards</h3>
      <dl className="hint-terms">
        {words.map(({ key, label, help }) => (
          <div key={key}>
            <dt>
              {label} <FieldKey name={key} />
            </dt>
            <dd>{help}</dd>
          </div>
        ))}
      </dl>
    </Hint>
  );
}

/** 1, 0.25, −0.5: rewards are often whole numbers. */
export const rewardText = (value: number): string =>
  String(Number(value.toPrecision(3))).replace('-', '−');
