/**
 * The row of places under the bar, or at the bottom of a narrow window: training, stages, chat,
 * votes, evaluation, plan, ranks.
 */
import {
  IconChecklist,
  IconMessage,
  IconScale,
  IconTopologyRing3,
  IconSitemap,
  IconThumbUp,
  IconTrendingDown,
  IconUsersGroup,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useLibrary } from './context.tsx';
import { goTo, usePlace, type At } from './place.ts';
import './styles/places.css';

interface Tab {
  at: At;
  title: string;
  icon: ReactNode;
  /** Other places that belong to the tab. */
  also?: At;
}

const TABS: readonly Tab[] = [
  { at: 'workspace', title: 'Train', icon: <IconTrendingDown size={18} /> },
  { at: 'stages', title: 'Stages', icon: <IconSitemap size={18} />, also: 'new_stage' },
  { at: 'chat', title: 'Chat', icon: <IconMessage size={18} /> },
  { at: 'votes', title: 'Votes', icon: <IconThumbUp size={18} /> },
  { at: 'evaluate', title: 'Evaluate', icon: <IconChecklist size={18} /> },
  { at: 'plan', title: 'Plan', icon: <IconScale size={18} /> },
  { at: 'together', title: 'Together', icon: <IconUsersGroup size={18} /> },
  { at: 'ranks', title: 'Ranks', icon: <IconTopologyRing3 size={18} /> },
];

/** On the preset cards, only someone who has trained a model gets them. */
export function PlaceTabs() {
  const at = usePlace((place) => place.at);
  const hasRuns = useLibrary((state) => state.runs.length > 0);
  if (at === 'welcome' && !hasRuns) return null;
  return (
    <nav className="places" aria-label="Places" data-over={at === 'welcome' || undefined}>
      {TABS.map(({ at: place, title, icon, also }) => (
        <button
          key={place}
          type="button"
          aria-current={at === place || at === also ? 'page' : undefined}
          onClick={() => goTo({ at: place, subject: null })}
        >
          {icon}
          {title}
        </button>
      ))}
    </nav>
  );
}
