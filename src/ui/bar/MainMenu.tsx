/** The main menu: dialogs, export and import, link and shortcuts. */
import {
  IconBooks,
  IconDots,
  IconDownload,
  IconKeyboard,
  IconLink,
  IconLockOpen,
  IconPrinter,
  IconScale,
  IconSchool,
  IconShare,
  IconSitemap,
  IconStopwatch,
  IconTable,
  IconUpload,
} from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { count, hasOtherBest } from '../../store/index.ts';
import { useClient, useRun } from '../context.tsx';
import { copyLessonLink, copyLink } from '../lesson/links.ts';
import { leaveLesson, useLesson } from '../lesson/useLesson.ts';
import { goTo, goToModels } from '../place.ts';
import { printReport } from '../print/Print.tsx';
import { Popup, PopupItem, PopupLine } from '../popup/Popup.tsx';
import { downloadMetrics, exportCheckpoint, importModel } from '../transfer.ts';

export function MainMenu() {
  const client = useClient();
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <Popup label="Menu" kind="menu" width={262} className="square" face={<IconDots size={18} />}>
        <MenuItems pickModel={() => picker.current?.click()} />
      </Popup>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        aria-label="Import a model"
        data-testid="import-input"
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // Otherwise selecting the same files again would not fire an event.
          event.currentTarget.value = '';
          if (files.length > 0) void importModel(client, files);
        }}
      />
    </>
  );
}

interface ItemsProps {
  /** Opens the file picker for a model. */
  pickModel: () => void;
}

/** In a lesson, what a student needs comes first and the rest is behind one more click. */
function MenuItems({ pickModel }: ItemsProps) {
  const client = useClient();
  const lesson = useLesson().active;
  const [more, setMore] = useState(false);
  if (!lesson || more)
    return (
      <>
        {lesson ? (
          <>
            <PopupItem icon={<IconLockOpen size={16} />} onClick={() => leaveLesson(client)}>
              Leave the lesson
            </PopupItem>
            <PopupLine />
          </>
        ) : null}
        <DialogItems />
        <PopupLine />
        <ExportItems />
        <PopupItem icon={<IconUpload size={16} />} onClick={pickModel}>
          Import model…
        </PopupItem>
        <PopupLine />
        <LinkItems />
        <PrintItem />
        <PopupLine />
        <ShortcutsItem />
      </>
    );
  return (
    <>
      <PrintItem />
      <ShortcutsItem />
      <PopupItem icon={<IconDots size={16} />} stays onClick={() => setMore(true)}>
        More
      </PopupItem>
    </>
  );
}

function LinkItems() {
  const client = useClient();
  return (
    <>
      <PopupItem icon={<IconLink size={16} />} onClick={() => void copyLink(client)}>
        Copy link to this recipe
      </PopupItem>
      <PopupItem icon={<IconSchool size={16} />} onClick={() => void copyLessonLink(client)}>
        Copy lesson link
      </PopupItem>
      <PopupItem icon={<IconShare size={16} />} onClick={() => goTo({ dialog: 'share' })}>
        Share…
      </PopupItem>
    </>
  );
}

function PrintItem() {
  const client = useClient();
  const hasRun = useRun((state) => state.run !== null);
  return (
    <PopupItem
      icon={<IconPrinter size={16} />}
      disabled={!hasRun}
      onClick={() => void printReport(client)}
    >
      Print a report
    </PopupItem>
  );
}

const ShortcutsItem = () => (
  <PopupItem
    icon={<IconKeyboard size={16} />}
    hint={<kbd>?</kbd>}
    onClick={() => goTo({ dialog: 'shortcuts' })}
  >
    Keyboard shortcuts
  </PopupItem>
);

function DialogItems() {
  return (
    <>
      <PopupItem icon={<IconBooks size={16} />} onClick={() => goTo({ dialog: 'library' })}>
        Runs
      </PopupItem>
      <PopupItem icon={<IconSitemap size={16} />} onClick={() => goToModels('stages')}>
        Stages
      </PopupItem>
      <PopupItem icon={<IconScale size={16} />} onClick={() => goTo({ dialog: 'compare' })}>
        Compare backends
      </PopupItem>
      <PopupItem icon={<IconStopwatch size={16} />} onClick={() => goTo({ dialog: 'profile' })}>
        Profile a step
      </PopupItem>
    </>
  );
}

function ExportItems() {
  const client = useClient();
  const hasRun = useRun((state) => state.run !== null);
  const best = useRun((state) => (hasOtherBest(state) ? state.best : null));
  return (
    <>
      <PopupItem
        icon={<IconDownload size={16} />}
        disabled={!hasRun}
        onClick={() => {
          void exportCheckpoint(client);
        }}
      >
        Export model (zip)
      </PopupItem>
      {best ? (
        <PopupItem
          icon={<IconDownload size={16} />}
          onClick={() => {
            void exportCheckpoint(client, 'best');
          }}
        >
          {`Export best model, step ${count(best.step)} (zip)`}
        </PopupItem>
      ) : null}
      <PopupItem
        icon={<IconDownload size={16} />}
        disabled={!hasRun}
        onClick={() => goTo({ dialog: 'gpus' })}
      >
        Take it to GPUs…
      </PopupItem>
      <PopupItem
        icon={<IconTable size={16} />}
        disabled={!hasRun}
        onClick={() => downloadMetrics(client, 'csv')}
      >
        Metrics as CSV
      </PopupItem>
      <PopupItem
        icon={<IconTable size={16} />}
        disabled={!hasRun}
        onClick={() => downloadMetrics(client, 'jsonl')}
      >
        Metrics as JSON lines
      </PopupItem>
    </>
  );
}
