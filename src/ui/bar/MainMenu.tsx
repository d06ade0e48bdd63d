/** Library, comparison, taking away and bringing back. */
import { ActionIcon, Menu } from '@mantine/core';
import { IconBooks, IconDots, IconDownload, IconKeyboard, IconLink, IconScale, IconTable, IconUpload } from '@tabler/icons-react';
import { useRef } from 'react';
import { useClient, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { copyLink, downloadMetrics, exportCheckpoint, importFileList } from '../transfer.ts';

export function MainMenu() {
  const client = useClient();
  const picker = useRef<HTMLInputElement>(null);
  const hasRun = useRun((state) => state.run !== null);
  return (
    <>
      <Menu position="bottom-end" width={250} shadow="md">
        <Menu.Target><ActionIcon variant="default" size={36} aria-label="Menu"><IconDots size={18} /></ActionIcon></Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconBooks size={16} />} onClick={() => goTo({ dialog: 'library' })}>Runs</Menu.Item>
          <Menu.Item leftSection={<IconScale size={16} />} onClick={() => goTo({ dialog: 'compare' })}>Compare backends</Menu.Item>
          <Menu.Divider />
          <Menu.Item leftSection={<IconDownload size={16} />} disabled={!hasRun} onClick={() => { void exportCheckpoint(client); }}>Export model (zip)</Menu.Item>
          <Menu.Item leftSection={<IconTable size={16} />} disabled={!hasRun} onClick={() => downloadMetrics(client, 'csv')}>Metrics as CSV</Menu.Item>
          <Menu.Item leftSection={<IconTable size={16} />} disabled={!hasRun} onClick={() => downloadMetrics(client, 'jsonl')}>Metrics as JSON lines</Menu.Item>
          <Menu.Item leftSection={<IconUpload size={16} />} onClick={() => picker.current?.click()}>Import model…</Menu.Item>
          <Menu.Item leftSection={<IconLink size={16} />} onClick={() => { void copyLink(client); }}>Copy link to this recipe</Menu.Item>
          <Menu.Divider />
          <Menu.Item leftSection={<IconKeyboard size={16} />} rightSection={<kbd>?</kbd>} onClick={() => goTo({ dialog: 'shortcuts' })}>Shortcuts</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <input
        ref={picker} type="file" multiple hidden aria-label="Import a model" data-testid="import-input"
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = '';
          if (files.length > 0) void importFileList(client, files);
        }}
      />
    </>
  );
}
