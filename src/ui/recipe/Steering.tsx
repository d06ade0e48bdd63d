/** Settings of a running model that take effect at once: the learning rate. */
import { FieldControl } from './FieldControl.tsx';
import { useClient, useRun } from '../context.tsx';

export function Steering() {
  const client = useClient();
  const learningRate = useRun((state) => state.config?.training.learning_rate ?? 0);
  return (
    <section className="steering" aria-label="Running model">
      <FieldControl
        brief
        path="training.learning_rate"
        value={learningRate}
        onChange={(value) => {
          client.setLearningRate(Number(value));
          return true;
        }}
      />
      <p className="small muted">Takes effect now. Everything below applies to the next run.</p>
    </section>
  );
}
