/** Takes the stage of the form to the lab, where several ranks train it. */
import { goToModels } from '../place.ts';
import { NEW_STAGE, useChoices } from '../lab/choices.ts';

export function OnRanks() {
  return (
    <p className="small">
      <button
        type="button"
        className="link"
        onClick={() => {
          useChoices.setState({ from: NEW_STAGE });
          goToModels('ranks');
        }}
      >
        Train it on several ranks
      </button>
    </p>
  );
}
