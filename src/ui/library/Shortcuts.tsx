/** The dialog that lists the keyboard shortcuts. */
import { Modal } from '@mantine/core';
import { goTo } from '../place.ts';
import { SHORTCUTS } from '../useShortcuts.ts';
import './styles.ts';

export default function Shortcuts() {
  return (
    <Modal
      opened
      onClose={() => goTo({ dialog: null })}
      title="Keyboard shortcuts"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <dl className="shortcuts">
        {SHORTCUTS.map(([keys, description]) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{description}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
