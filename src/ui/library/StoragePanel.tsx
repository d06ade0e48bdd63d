/** What the runs take, the budget that they must keep, and backups of all of them. */
import { Button, TextInput } from '@mantine/core';
import { IconDownload, IconUpload } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { bytes, type StorageUse } from '../../store/index.ts';
import { useClient, useLibrary } from '../context.tsx';
import { BackupProgress } from './BackupProgress.tsx';
import { DeletedRuns } from './DeletedRuns.tsx';
import { downloadBackup } from './download_backup.ts';
import { LibraryMessages } from './LibraryMessages.tsx';

export function StoragePanel() {
  const storage = useLibrary((state) => state.storage);
  return (
    <>
      <LibraryMessages />
      {storage ? <Use storage={storage} /> : <p className="empty">Loading…</p>}
      <DeletedRuns />
      {/* A new key shows what is in force once it is known, or another tab has changed it. */}
      <Budget key={storage?.budget ?? 'none'} budget={storage?.budget ?? null} />
      <Backup />
    </>
  );
}

function Use({ storage }: { storage: StorageUse }) {
  const runs = useLibrary((state) => state.runs);
  const deleted = useLibrary((state) => state.deleted);
  if (!storage.available)
    return (
      <p className="field-problem">
        The browser denies storage, so runs are lost when you close the tab.
      </p>
    );
  const kept = sum(runs);
  const gone = sum(deleted);
  const limit = storage.budget ?? storage.quota;
  return (
    <section aria-label="Use">
      <p data-testid="storage-use">
        {runs.length} {runs.length === 1 ? 'run takes' : 'runs take'} {bytes(kept)}
        {gone > 0 ? `, deleted runs ${bytes(gone)}` : ''}
        {storage.budget === null ? '.' : `, of a budget of ${bytes(storage.budget)}.`}
      </p>
      {limit === null ? null : (
        <div className="memory-bar">
          <i style={{ width: share(kept, limit), background: 'var(--accent)' }} />
          <i style={{ width: share(gone, limit), background: 'var(--muted)' }} />
        </div>
      )}
      <p className="small muted">{browserText(storage)}</p>
    </section>
  );
}

const sum = (records: readonly { bytes: number }[]): number =>
  records.reduce((total, record) => total + record.bytes, 0);

const share = (part: number, whole: number): string =>
  `${Math.min(100, (100 * part) / Math.max(1, whole))}%`;

function browserText({ used, quota, persistent }: StorageUse): string {
  const use =
    quota === null
      ? `This site uses ${bytes(used)} in all.`
      : `This site uses ${bytes(used)} of the ${bytes(quota)} that the browser allows.`;
  return persistent ? use : `${use} The browser may clear it when the disk is full.`;
}

const MEGABYTE = 1e6;

/** Megabytes as typed; null if they are no limit that can be kept. */
function readBudget(text: string): number | null {
  const value = /^\d+(\.\d+)?$/u.test(text.trim()) ? Number(text) : NaN;
  return value > 0 && value <= 1e7 ? Math.round(value * MEGABYTE) : null;
}

function Budget({ budget }: { budget: number | null }) {
  const client = useClient();
  const current = budget === null ? '' : String(budget / MEGABYTE);
  const [text, setText] = useState(current);
  const wanted = readBudget(text);
  return (
    <form
      className="storage-section"
      onSubmit={(event) => {
        event.preventDefault();
        if (wanted !== null) client.library.setBudget(wanted);
      }}
    >
      <h3>Budget</h3>
      <p className="small muted">
        When the runs take more than this, deleted runs are removed first, then earlier checkpoints,
        starting with the oldest runs. The last and the best checkpoint of a run are always kept.
      </p>
      <div className="storage-row">
        <TextInput
          size="xs"
          w={170}
          aria-label="Budget in megabytes"
          placeholder="no limit"
          inputMode="decimal"
          value={text}
          error={
            text.trim() !== '' && wanted === null ? 'A number of megabytes, such as 500' : null
          }
          onChange={(event) => setText(event.currentTarget.value)}
          rightSection={<span className="small muted">MB</span>}
        />
        <Button type="submit" size="xs" disabled={wanted === null || text === current}>
          Set
        </Button>
        {budget === null ? null : (
          <Button size="xs" variant="default" onClick={() => client.library.setBudget(null)}>
            No limit
          </Button>
        )}
      </div>
    </form>
  );
}

function Backup() {
  const client = useClient();
  const picker = useRef<HTMLInputElement>(null);
  const runs = useLibrary((state) => state.runs);
  const busy = useLibrary((state) => state.backup?.progress != null);
  return (
    <section className="storage-section" aria-label="Backup">
      <h3>Backup</h3>
      <p className="small muted">
        All runs with their checkpoints, metrics and texts in one file. Reading it adds what is not
        here yet, and overwrites nothing.
      </p>
      <BackupProgress />
      <div className="storage-row">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconDownload size={15} />}
          disabled={busy || runs.length === 0}
          onClick={() =>
            void downloadBackup(
              client,
              runs.map(({ run }) => run),
            )
          }
        >
          Back up all runs
        </Button>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconUpload size={15} />}
          disabled={busy}
          onClick={() => picker.current?.click()}
        >
          Read a backup…
        </Button>
      </div>
      <input
        ref={picker}
        type="file"
        accept=".zip"
        hidden
        aria-label="Read a backup"
        data-testid="backup-input"
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = '';
          if (file) void client.library.restoreBackup(file);
        }}
      />
    </section>
  );
}
