/** The page: the top bar, messages, and either the presets or the workspace. */
import { TopBar } from './bar/TopBar.tsx';
import { Announcer } from './bar/Sentence.tsx';
import { DropZone } from './DropZone.tsx';
import { SkipLinks } from './SkipLinks.tsx';
import { Messages } from './states/Messages.tsx';
import { Print } from './print/Print.tsx';
import { lazyPart, Part } from './states/Part.tsx';
import { Workspace } from './Workspace.tsx';
import { Welcome } from './welcome/Welcome.tsx';
import { useLesson } from './lesson/useLesson.ts';
import { goTo, usePlace, type Dialog } from './place.ts';
import { useShortcuts } from './useShortcuts.ts';

/** The dialogs, each with the subject of the sentence that says that it could not be shown. */
const DIALOGS: Record<
  Exclude<Dialog, null>,
  { title: string; Lazy: ReturnType<typeof lazyPart<object>>['Lazy'] }
> = {
  library: { title: 'The list of runs', ...lazyPart(() => import('./library/Library.tsx')) },
  compare: { title: 'The comparison', ...lazyPart(() => import('./library/Compare.tsx')) },
  profile: { title: 'The profile', ...lazyPart(() => import('./library/Profile.tsx')) },
  share: { title: 'The links', ...lazyPart(() => import('./lesson/Share.tsx')) },
  shortcuts: { title: 'The shortcuts', ...lazyPart(() => import('./library/Shortcuts.tsx')) },
};

export function App() {
  const lesson = useLesson().active;
  const at = usePlace((place) => (lesson ? 'workspace' : place.at));
  useShortcuts();
  return (
    <>
      <Print />
      <div className="page" data-lesson={lesson || undefined}>
        <SkipLinks />
        <Part title="The bar">
          <TopBar />
        </Part>
        <Part title="The messages">
          <Messages />
        </Part>
        <Part title={at === 'welcome' ? 'The start screen' : 'The workspace'} key={at}>
          {at === 'welcome' ? <Welcome /> : <Workspace />}
        </Part>
        <Announcer />
        <DropZone />
        <OpenDialog />
      </div>
    </>
  );
}

function OpenDialog() {
  const dialog = usePlace((place) => place.dialog);
  if (!dialog) return null;
  const { title, Lazy } = DIALOGS[dialog];
  return <Lazy key={dialog} title={title} onClose={() => goTo({ dialog: null })} props={{}} />;
}
