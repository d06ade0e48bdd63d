/** PPO: the model that scores the answers. */
import type { StageProblem } from '../../config/stage/index.ts';
import type { RunRecord } from '../../store/index.ts';
import { chooseRewardModel, newStage, setStageField } from '../../store/stages/new_stage.ts';
import { rewardModels } from '../../store/stages/reward_models.ts';
import { FieldProblem } from './StageField.tsx';
import { useNewStage } from './useNewStage.ts';

interface ChoiceProps {
  parent: RunRecord;
  runs: readonly RunRecord[];
  problems: readonly StageProblem[];
}

export function RewardModelChoice({ parent, runs, problems }: ChoiceProps) {
  const score = useNewStage((state) => state.stage.ppo.score);
  const chosen = useNewStage((state) => state.rewardModel);
  if (score !== 'reward_model') return null;
  const scorers = rewardModels(runs, parent);
  const problem = problems.find(({ field }) => field === 'reward_model');
  return (
    <div className="field" data-problem={problem ? true : undefined}>
      <div className="field-row">
        <label className="field-name" htmlFor="stage-reward-model">
          Reward model
        </label>
        <select
          id="stage-reward-model"
          className="native-select"
          value={chosen ?? ''}
          onChange={(event) => {
            const { value } = event.currentTarget;
            chooseRewardModel(newStage, scorers.find(({ run }) => run === value) ?? null);
          }}
        >
          <option value="">{scorers.length > 0 ? 'Choose one' : 'None is trained yet'}</option>
          {scorers.map(({ run, name }) => (
            <option key={run} value={run}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <p className="field-help">
        It scores each answer. The value model, which guesses the score while an answer is written,
        starts from it too.
      </p>
      {problem ? (
        <FieldProblem
          problem={problem}
          onFix={(fix) => setStageField(newStage, fix.field, fix.value)}
        />
      ) : null}
    </div>
  );
}
