/** The sticky top bar: run name, status sentence, controls, device and menu. */
import { Controls } from './Controls.tsx';
import { DeviceChip } from './DeviceChip.tsx';
import { MainMenu } from './MainMenu.tsx';
import { ProgressLine } from './ProgressLine.tsx';
import { RunName } from './RunName.tsx';
import { Sentence } from './Sentence.tsx';
import { goTo } from '../place.ts';
import '../styles/bar.css';

export function TopBar() {
  return (
    <header className="bar">
      <button
        type="button"
        className="brand"
        onClick={() => goTo({ at: 'welcome' })}
        aria-label="Terrarium: presets"
      >
        <Logo />
      </button>
      <div className="bar-text">
        <RunName />
        <Sentence />
      </div>
      <div className="bar-actions">
        <Controls />
        <DeviceChip />
        <MainMenu />
      </div>
      <ProgressLine />
    </header>
  );
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
