/** The dialog *Take it to GPUs*: what the bundle of the current run has, and how it is started. */
import { Button, Modal } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useState } from 'react';
import { useClient, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { saveFile } from '../transfer.ts';
import '../styles/gpus.css';
import './styles.ts';

const COMMANDS = [
  ['One GPU', 'accelerate launch --num_processes 1 train.py'],
  [
    'Eight GPUs of one host',
    'accelerate launch --config_file fsdp2.yaml --num_processes 8 train.py',
  ],
] as const;

export default function Gpus() {
  return (
    <Modal
      opened
      onClose={() => goTo({ dialog: null })}
      title="Take it to GPUs"
      size="lg"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <p>
        A bundle continues this run in PyTorch from its current step: the same weights, optimizer
        state, learning rates and batches, in float32 or bfloat16, sharded over the GPUs by FSDP2.
        Pretraining, SFT and DPO can continue so, the latter two also with LoRA. What it saves comes
        back by <i>Import model</i>.
      </p>
      <dl className="gpu-commands">
        {COMMANDS.map(([where, command]) => (
          <div key={where}>
            <dt>{where}</dt>
            <dd>
              <code>{command}</code>
            </dd>
          </div>
        ))}
      </dl>
      <p className="muted">
        The README in the bundle has these commands, that for several hosts, and what differs. The
        bundle contains the training text as tokens.
      </p>
      <Download />
    </Modal>
  );
}

function Download() {
  const client = useClient();
  const hasRun = useRun((state) => state.run !== null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const download = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      const { name, bytes } = await client.export('bundle');
      saveFile(name, new Uint8Array(bytes), 'application/zip');
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
  };
  return (
    <>
      <Button
        leftSection={<IconDownload size={16} />}
        loading={busy}
        disabled={!hasRun}
        onClick={() => void download()}
      >
        Download the bundle (zip)
      </Button>
      {problem === null ? null : (
        <p className="gpu-problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}
