/** The page: the top bar, messages, and either the presets or the workspace. */
import { Suspense, lazy } from 'react';
import { TopBar } from './bar/TopBar.tsx';
import { Announcer } from './bar/Sentence.tsx';
import { DropZone } from './DropZone.tsx';
import { SkipLinks } from './SkipLinks.tsx';
import { Messages } from './states/Messages.tsx';
import { Workspace } from './Workspace.tsx';
import { Welcome } from './welcome/Welcome.tsx';
import { usePlace } from './place.ts';
import { useShortcuts } from './useShortcuts.ts';

const Library = lazy(() => import('./library/Library.tsx'));
const Compare = lazy(() => import('./library/Compare.tsx'));
const Profile = lazy(() => import('./library/Profile.tsx'));
const Shortcuts = lazy(() => import('./library/Shortcuts.tsx'));

export function App() {
  const at = usePlace((place) => place.at);
  const dialog = usePlace((place) => place.dialog);
  useShortcuts();
  return (
    <div className="page">
      <SkipLinks />
      <TopBar />
      <Messages />
      {at === 'welcome' ? <Welcome /> : <Workspace />}
      <Announcer />
      <DropZone />
      <Suspense fallback={null}>
        {dialog === 'library' ? <Library /> : null}
        {dialog === 'compare' ? <Compare /> : null}
        {dialog === 'profile' ? <Profile /> : null}
        {dialog === 'shortcuts' ? <Shortcuts /> : null}
      </Suspense>
    </div>
  );
}
