/** Says which models of the address cannot be used, and why. */
import { missingModel } from '../../store/stages/missing_model.ts';
import { useLibrary } from '../context.tsx';

export function MissingModels({ ids }: { ids: readonly string[] }) {
  const runs = useLibrary((state) => state.runs);
  const deleted = useLibrary((state) => state.deleted);
  return ids.map((id) => (
    <p key={id} className="field-problem" role="alert">
      {missingModel(id, { runs, deleted })}
    </p>
  ));
}
