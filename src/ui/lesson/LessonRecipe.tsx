/** The recipe column of a lesson: the fields that a student may change, with names in words. */
import { PRESETS, getField, type FieldPath } from '../../config/index.ts';
import { setField } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { DataPanel } from '../recipe/DataPanel.tsx';
import { FieldInput } from '../recipe/FieldInput.tsx';
import { Prompts } from '../recipe/Prompts.tsx';
import { TokenizerPicker } from '../recipe/TokenizerPanel.tsx';
import { usePrepare } from '../recipe/usePrepare.ts';
import { useSettledRun } from '../recipe/useSettledRun.ts';
import { plainHelp, plainName } from './plain.ts';
import '../styles/lesson.css';

export function LessonRecipe() {
  const open = useForm((state) => state.lesson);
  const preset = useForm((state) => state.preset);
  const hasRun = useRun((state) => state.run !== null);
  const needsText = useForm((state) => state.config.data.corpus === 'own');
  const needsTokenizer = useForm((state) => state.config.tokenizer.kind === 'imported');
  const { problems } = useSettledRun();
  const paths = [...(open ?? [])];
  const title = PRESETS.find((one) => one.id === preset)?.title;
  return (
    <div className="lesson" data-testid="lesson">
      <h2>{title ? `Lesson: ${title}` : 'Lesson'}</h2>
      <p>{introduction(paths.length, hasRun)}</p>
      {needsText || open?.has('data.corpus') ? <LessonText /> : null}
      {needsTokenizer ? <TokenizerPicker /> : null}
      {paths.map((path) => (
        <LessonField key={path} path={path} />
      ))}
      {problems.map((problem) => (
        <p key={problem.message} className="field-problem" role="alert">
          {problem.message} {problem.hint}
        </p>
      ))}
    </div>
  );
}

function introduction(openFields: number, hasRun: boolean): string {
  if (openFields === 0) return 'Press Train and watch what the model writes.';
  const what = 'Change what stands here and press Train; everything else is set for this lesson.';
  return hasRun ? `${what} Changes apply to the next run.` : what;
}

function LessonText() {
  usePrepare();
  return <DataPanel />;
}

function LessonField({ path }: { path: FieldPath }) {
  const { form } = useClient().stores;
  const value = useForm((state) => getField(state.config, path));
  if (path === 'data.corpus') return null;
  if (path === 'sampling.prompts') return <Prompts />;
  const id = `lesson-${path}`;
  return (
    <div className="lesson-field">
      <label htmlFor={id}>{plainName(path)}</label>
      <FieldInput
        id={id}
        describedBy={`${id}-help`}
        path={path}
        value={value}
        onChange={(next) => setField(form, path, next)}
        disabled={false}
      />
      <p className="small muted" id={`${id}-help`}>
        {plainHelp(path)}
      </p>
    </div>
  );
}
