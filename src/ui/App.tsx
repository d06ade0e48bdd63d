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
import { goTo, usePlace, type At, type Dialog, type ModelPlace } from './place.ts';
import { PlaceTabs } from './PlaceTabs.tsx';
import { useKeptFocus } from './useKeptFocus.ts';
import { useShortcuts } from './useShortcuts.ts';

/** The dialogs, each with the subject of the sentence that says that it could not be shown. */
const DIALOGS: Record<
  Exclude<Dialog, null>,
  { title: string; Lazy: ReturnType<typeof lazyPart<object>>['Lazy'] }
> = {
  library: { title: 'The list of runs', ...lazyPart(() => import('./library/Library.tsx')) },
  compare: { title: 'The comparison', ...lazyPart(() => import('./library/Compare.tsx')) },
  profile: { title: 'The profile', ...lazyPart(() => import('./library/Profile.tsx')) },
  gpus: { title: 'The bundle', ...lazyPart(() => import('./library/Gpus.tsx')) },
  share: { title: 'The links', ...lazyPart(() => import('./lesson/Share.tsx')) },
  shortcuts: { title: 'The shortcuts', ...lazyPart(() => import('./library/Shortcuts.tsx')) },
};

/** The places about models. */
const MODEL_PLACES: Record<
  ModelPlace,
  { title: string; Lazy: ReturnType<typeof lazyPart<object>>['Lazy'] }
> = {
  stages: { title: 'The models', ...lazyPart(() => import('./stages/Stages.tsx')) },
  new_stage: { title: 'The form', ...lazyPart(() => import('./stages/NewStage.tsx')) },
  chat: { title: 'The chat', ...lazyPart(() => import('./chat/Chat.tsx')) },
  votes: { title: 'The votes', ...lazyPart(() => import('./votes/Votes.tsx')) },
  evaluate: { title: 'The evaluation', ...lazyPart(() => import('./evaluate/Evaluate.tsx')) },
  plan: { title: 'The plan', ...lazyPart(() => import('./plan/Plan.tsx')) },
  together: { title: 'The room', ...lazyPart(() => import('./pool/Together.tsx')) },
  ranks: { title: 'The lab', ...lazyPart(() => import('./lab/Lab.tsx')) },
};

export function App() {
  const lesson = useLesson().active;
  const at = usePlace((place) => (lesson ? 'workspace' : place.at));
  useShortcuts();
  useKeptFocus(at, at === 'workspace' ? '.main-button' : 'main h1');
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
        {lesson ? null : <PlaceTabs />}
        <CurrentPlace at={at} />
        <Announcer />
        <DropZone />
        <OpenDialog />
      </div>
    </>
  );
}

function CurrentPlace({ at }: { at: At }) {
  if (at === 'welcome' || at === 'workspace')
    return (
      <Part title={at === 'welcome' ? 'The start screen' : 'The workspace'} key={at}>
        {at === 'welcome' ? <Welcome /> : <Workspace />}
      </Part>
    );
  const { title, Lazy } = MODEL_PLACES[at];
  return <Lazy key={at} title={title} props={{}} />;
}

function OpenDialog() {
  const dialog = usePlace((place) => place.dialog);
  if (!dialog) return null;
  const { title, Lazy } = DIALOGS[dialog];
  return <Lazy key={dialog} title={title} onClose={() => goTo({ dialog: null })} props={{}} />;
}
