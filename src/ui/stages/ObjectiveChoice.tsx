/** The five kinds of stage as a group of radio buttons, with one sentence each. */
import { OBJECTIVE_LABELS, STAGE_OBJECTIVES } from '../../config/stage/index.ts';
import type { RunRecord } from '../../store/index.ts';
import { chooseObjective, newStage } from '../../store/stages/new_stage.ts';
import { Badge } from './ModelRow.tsx';
import { useNewStage } from './useNewStage.ts';

export function ObjectiveChoice({ parent }: { parent: RunRecord }) {
  const chosen = useNewStage((state) => state.stage.objective);
  return (
    <div className="objectives" role="radiogroup" aria-label="What it learns">
      {STAGE_OBJECTIVES.map((objective) => (
        <label key={objective} data-on={objective === chosen || undefined}>
          <input
            type="radio"
            className="sr-only"
            name="objective"
            value={objective}
            checked={objective === chosen}
            onChange={() => chooseObjective(newStage, parent, objective)}
          />
          <Badge objective={objective} />
          <b>{OBJECTIVE_LABELS[objective].name}</b>
          <span className="small muted">{OBJECTIVE_LABELS[objective].does}</span>
        </label>
      ))}
    </div>
  );
}
