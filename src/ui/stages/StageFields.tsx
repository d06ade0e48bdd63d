/** The options of one section of a stage: those that matter most, and the rest folded. */
import {
  getStageField,
  preferencesOf,
  type StageConfig,
  type StageFieldPath,
  type StageProblem,
  type StageSection,
} from '../../config/stage/index.ts';
import type { BackendName } from '../../config/index.ts';
import { newStage, setStageField } from '../../store/stages/new_stage.ts';
import { useRun } from '../context.tsx';
import { StageField } from './StageField.tsx';
import { shownFields } from './stage_sections.ts';
import { useNewStage } from './useNewStage.ts';

interface SectionProps {
  section: StageSection;
  problems: readonly StageProblem[];
}

export function StageFields({ section, problems }: SectionProps) {
  const stage = useNewStage((state) => state.stage);
  const base = useNewStage((state) => state.base);
  const { first, more } = shownFields(section, stage);
  const changes = more.filter((path) => getStageField(stage, path) !== getStageField(base, path));
  const bad = more.some((path) => problems.some(({ field }) => field === path));
  const list = (paths: readonly StageFieldPath[]) => (
    <div className="fields">
      {paths.map((path) => (
        <OneField key={path} path={path} problems={problems} />
      ))}
    </div>
  );
  return (
    <>
      {list(first)}
      {more.length > 0 ? (
        <details className="more" open={bad || undefined}>
          <summary>
            More options{' '}
            <span className="muted">
              {more.length}
              {changes.length > 0 ? `, ${changes.length} changed` : ''}
            </span>
          </summary>
          {list(more)}
        </details>
      ) : null}
    </>
  );
}

function OneField({ path, problems }: { path: StageFieldPath; problems: readonly StageProblem[] }) {
  const stage = useNewStage((state) => state.stage);
  const base = useNewStage((state) => state.base);
  const backend = useRun((state) => state.device?.backend);
  const value = getStageField(stage, path);
  const initial = getStageField(base, path);
  return (
    <StageField
      path={path}
      value={value}
      initial={value === initial ? null : initial}
      problem={problems.find(({ field }) => field === path)}
      onChange={(next) => setStageField(newStage, path, next)}
      onFix={(fix) => setStageField(newStage, fix.field, fix.value)}
      unavailable={(option) => whyNot(path, option, { stage, backend })}
    />
  );
}

interface Surroundings {
  stage: StageConfig;
  /** What computes; undefined before it has started. */
  backend: BackendName | undefined;
}

/** Why an option cannot be chosen with the other settings or here; null if it can. */
function whyNot(
  path: StageFieldPath,
  option: string,
  { stage, backend = 'webgpu' }: Surroundings,
): string | null {
  if (path === 'peft.dtype') {
    return option === 'float16' && backend !== 'webgpu' ? 'needs WebGPU' : null;
  }
  if (path !== 'dataset.preference') return null;
  const possible: readonly string[] = preferencesOf(stage.dataset.task);
  return possible.length === 0 || possible.includes(option) ? null : 'not in this task';
}
