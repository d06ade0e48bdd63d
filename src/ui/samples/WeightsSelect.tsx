/** The choice between the weights as they are now and those of the best evaluation. */
import { count, hasOtherBest, type WeightsChoice } from '../../store/index.ts';
import { useClient, useRun, useWrite } from '../context.tsx';

/** The weights to generate with: the best only where they are not the last. */
export function useWeightsChoice(): WeightsChoice {
  const chosen = useWrite((state) => state.weights);
  const hasChoice = useRun(hasOtherBest);
  return hasChoice ? chosen : 'last';
}

/** Nothing where the best weights are the last ones, or are not kept. */
export function WeightsSelect() {
  const { write } = useClient().stores;
  const hasChoice = useRun(hasOtherBest);
  const best = useRun((state) => state.best);
  const weights = useWeightsChoice();
  if (!hasChoice || !best) return null;
  return (
    <select
      className="native-select"
      aria-label="Weights"
      title="Generate with the weights as they are now, or with those of the best evaluation"
      value={weights}
      onChange={(event) =>
        write.setState({ weights: event.currentTarget.value === 'best' ? 'best' : 'last' })
      }
    >
      <option value="last">Latest weights</option>
      <option value="best">{`Best, step ${count(best.step)}`}</option>
    </select>
  );
}
