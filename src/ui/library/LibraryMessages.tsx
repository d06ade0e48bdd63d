/** What happened with the last change of the library. */
import { Button } from '@mantine/core';
import { useClient, useLibrary } from '../context.tsx';

export function LibraryMessages() {
  const client = useClient();
  const problem = useLibrary((state) => state.problem);
  const notes = useLibrary((state) => state.notes);
  if (!problem && notes.length === 0) return null;
  const texts = problem ? [`${problem.message} ${problem.hint}`] : notes;
  return (
    <div
      className="message"
      data-kind={problem ? 'error' : 'quiet'}
      role={problem ? 'alert' : 'status'}
      data-testid="library-message"
    >
      <p>{texts.join(' ')}</p>
      <Button
        size="xs"
        variant="default"
        onClick={() => client.stores.library.setState({ problem: null, notes: [] })}
      >
        OK
      </Button>
    </div>
  );
}
