/** The dialog with links to the recipe and to a lesson. */
import { Button, Modal } from '@mantine/core';
import { useId, useRef, useState } from 'react';
import { SECTIONS, fieldPaths, type FieldPath } from '../../config/index.ts';
import { useClient, useForm } from '../context.tsx';
import { goTo } from '../place.ts';
import { copyText, lessonLink, recipeLink } from './links.ts';
import { plainName } from './plain.ts';
import '../library/styles.ts';
import '../styles/lesson.css';

export default function Share() {
  const client = useClient();
  return (
    <Modal
      opened
      onClose={() => goTo({ dialog: null })}
      title="Share"
      size="lg"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <div className="share">
        <LinkField
          label="Link to this recipe"
          action="Copy link"
          link={recipeLink(client)}
          isFirst
        />
        <p className="small muted">The link contains the recipe, but never your own text.</p>
        <LessonChoice />
      </div>
    </Modal>
  );
}

function LessonChoice() {
  const client = useClient();
  const changed = useForm((state) => state.changed);
  const [open, setOpen] = useState<ReadonlySet<FieldPath>>(() => new Set(changed));
  const toggle = (path: FieldPath): void => {
    const next = new Set(open);
    if (!next.delete(path)) next.add(path);
    setOpen(next);
  };
  const others = fieldPaths().filter((path) => !changed.has(path));
  return (
    <>
      <h3>Lesson</h3>
      <p className="small muted">
        The link opens this recipe with plain names. Students may change the fields that you tick.
      </p>
      <FieldChoice paths={[...changed]} open={open} toggle={toggle} />
      <details open={changed.size === 0}>
        <summary>{changed.size > 0 ? 'More fields' : 'Fields'}</summary>
        {SECTIONS.map((section) => (
          <FieldChoice
            key={section}
            paths={others.filter((path) => path.startsWith(`${section}.`))}
            open={open}
            toggle={toggle}
          />
        ))}
      </details>
      <LinkField
        label="Link to the lesson"
        action="Copy lesson link"
        link={lessonLink(client, [...open])}
      />
    </>
  );
}

interface ChoiceProps {
  paths: readonly FieldPath[];
  open: ReadonlySet<FieldPath>;
  toggle: (path: FieldPath) => void;
}

function FieldChoice({ paths, open, toggle }: ChoiceProps) {
  return (
    <ul className="share-fields">
      {paths.map((path) => (
        <li key={path}>
          <label>
            <input type="checkbox" checked={open.has(path)} onChange={() => toggle(path)} />
            <span>{plainName(path)}</span>
          </label>
        </li>
      ))}
    </ul>
  );
}

interface LinkProps {
  label: string;
  action: string;
  link: string;
  /** The dialog opens with this link selected, ready to be copied. */
  isFirst?: boolean;
}

function LinkField({ label, action, link, isFirst = false }: LinkProps) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [said, setSaid] = useState('');
  const copy = async (): Promise<void> => {
    if (await copyText(link)) {
      setSaid('Copied.');
      return;
    }
    field.current?.focus();
    field.current?.select();
    setSaid('This browser does not let the page copy here: press Ctrl+C or ⌘C to copy the link.');
  };
  return (
    <div className="share-link">
      <label htmlFor={id}>{label}</label>
      <div>
        <input
          id={id}
          ref={field}
          readOnly
          data-autofocus={isFirst || undefined}
          value={link}
          onFocus={(event) => event.currentTarget.select()}
        />
        <Button
          size="sm"
          variant="light"
          onClick={() => {
            void copy();
          }}
        >
          {action}
        </Button>
      </div>
      <p className="small muted" role="status">
        {said}
      </p>
    </div>
  );
}
