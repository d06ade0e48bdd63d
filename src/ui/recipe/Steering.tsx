/**
 * While it trains: the learning rate can be changed as it runs; the rest of the recipe is for the
 * next run.
 */
import { FieldControl } from './FieldControl.tsx';
import { useClient, useRun } from '../context.tsx';

export function Steering() {
  const client = useClient();
  const rate = useRun((state) => state.config?.training.learning_rate ?? 0);
  return (
    <section className="steering" aria-label="Steer the run">
      <FieldControl
        brief
        path="training.learning_rate"
        value={rate}
        onChange={(value) => {
          client.setLearningRate(Number(value));
          return true;
        }}
      />
      <p className="small muted">
        Changes the run as it goes. Everything below is for the next run.
      </p>
    </section>
  );
}
