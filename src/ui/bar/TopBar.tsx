/** The sticky top bar: run name, status sentence, controls, device and menu. */
import { useLayoutEffect, useRef, type RefObject } from 'react';
import { useForm, useRun } from '../context.tsx';
import { Controls } from './Controls.tsx';
import { DeviceChip } from './DeviceChip.tsx';
import { MainMenu } from './MainMenu.tsx';
import { ProgressLine } from './ProgressLine.tsx';
import { RunName } from './RunName.tsx';
import { Sentence } from './Sentence.tsx';
import { goTo, usePlace } from '../place.ts';
import '../styles/bar.css';

export function TopBar() {
  const bar = useRef<HTMLElement>(null);
  const hasRecipe = useHasRecipe();
  useHeightAsVariable(bar);
  return (
    <header ref={bar} className="bar">
      <button
        type="button"
        className="brand"
        onClick={() => goTo({ at: 'welcome' })}
        aria-label="Terrarium: presets"
      >
        <Logo />
      </button>
      <div className="bar-text">
        {hasRecipe ? <RunName /> : <p className="bar-title">Terrarium</p>}
        <Sentence />
      </div>
      <div className="bar-actions">
        {hasRecipe ? <Controls /> : null}
        <div className="bar-end">
          <DeviceChip />
          <MainMenu />
        </div>
      </div>
      <ProgressLine />
    </header>
  );
}

/**
 * Whether the page shows what Train would start. On the preset cards, nothing does until a recipe was
 * chosen or a run exists.
 */
function useHasRecipe(): boolean {
  const atWorkspace = usePlace((place) => place.at === 'workspace');
  const isChosen = useForm(({ preset, changed }) => preset !== null || changed.size > 0);
  const hasRun = useRun(({ run, opening }) => run !== null || opening);
  return atWorkspace || isChosen || hasRun;
}

/** Publishes the height as `--bar`, because the bar wraps in a narrow window. */
function useHeightAsVariable(bar: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const element = bar.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() =>
      document.documentElement.style.setProperty('--bar', `${element.offsetHeight}px`),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [bar]);
}

/** A sprout under glass. */
function Logo() {
  return (
    <svg
      viewBox="0 0 32 32"
      width="30"
      height="30"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d="M7 27V14a9 9 0 0 1 18 0v13" />
      <path d="M4 27h24" />
      <path d="M16 27v-9" />
      <path
        d="M16 20c-4 0-5.5-2-5.5-5 3.5 0 5.5 1.5 5.5 5Z"
        fill="currentColor"
        fillOpacity=".25"
      />
      <path
        d="M16 18c0-3.5 2-5.5 5.5-5.5 0 3.5-1.800 5.5-5.5 5.5Z"
        fill="currentColor"
        fillOpacity=".25"
      />
    </svg>
  );
}
