/** Accepts files and folders dropped anywhere on the page. */
import { useEffect, useState } from 'react';
import { useClient } from './context.tsx';
import { openFiles } from './transfer.ts';
import { filesOfDrop } from './dropped.ts';

export function DropZone() {
  const client = useClient();
  const [over, setOver] = useState(false);
  useEffect(() => {
    const onOver = (event: DragEvent): void => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent): void => {
      setOver(false);
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      void filesOfDrop(event.dataTransfer).then((files) => openFiles(client, files));
    };
    window.addEventListener('dragover', onOver);
    window.addEventListener('dragleave', onLeave);
    window.addEventListener('drop', onDrop);
    return () => {
      window.removeEventListener('dragover', onOver);
      window.removeEventListener('dragleave', onLeave);
      window.removeEventListener('drop', onDrop);
    };
  }, [client]);
  return over ? (
    <div className="drop-veil" aria-hidden>
      <p>Drop a text to train on, or a model to import</p>
    </div>
  ) : null;
}
