/**
 * A part of the page that may fail without the rest: its code may not arrive, or it may throw while
 * it is drawn. One sentence then takes its place, with a way to retry.
 */
import { Button, CloseButton } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useEffect, useState, type ComponentType, type ReactNode } from 'react';
import { ErrorBoundary } from 'react-error-boundary';
import { isMissingPart } from '../../common/index.ts';
import { useClient } from '../context.tsx';
import { loadMissingStyles, noteMissingStyles } from './missing_styles.ts';
import { reloadLabel, saveAndReload } from './reload.ts';
import '../styles/messages.css';

interface PartProps {
  /** The name of the part, as the subject of a sentence: "The charts". */
  title: string;
  /** Closes a part that lies over the page, such as a dialog. */
  onClose?: () => void;
  children: ReactNode;
}

export function Part({ title, onClose, children }: PartProps) {
  return (
    <ErrorBoundary
      fallbackRender={({ error, resetErrorBoundary }) => (
        <BrokenPart title={title} error={error} retry={resetErrorBoundary} onClose={onClose} />
      )}
    >
      {children}
    </ErrorBoundary>
  );
}

interface BrokenProps {
  title: string;
  error: unknown;
  retry: () => void;
  onClose?: () => void;
}

/** What stands in the place of a part that failed. */
function BrokenPart({ title, error, retry, onClose }: BrokenProps) {
  const client = useClient();
  const missing = isMissingPart(error);
  return (
    <div
      className={onClose ? 'message message-over' : 'message'}
      data-kind="error"
      role="alert"
      data-testid="broken-part"
    >
      <IconAlertTriangle size={20} aria-hidden />
      <p>
        <strong>
          {title} could not be {missing ? 'downloaded' : 'shown'}.
        </strong>{' '}
        {missing
          ? 'Check the network and retry; training is not affected.'
          : 'Retry, or reload the page; training is not affected.'}
      </p>
      <Button size="xs" color="red" variant="light" onClick={retry}>
        Retry
      </Button>
      <Button
        size="xs"
        variant="default"
        onClick={() => {
          void saveAndReload(client);
        }}
      >
        {reloadLabel(client)}
      </Button>
      {onClose ? <CloseButton aria-label="Close" onClick={onClose} /> : null}
    </div>
  );
}

interface LoaderProps<Props> {
  /** Shown until the part is there. */
  loading?: ReactNode;
  /** Of the part. */
  props: Props;
}

interface LazyPart<Props> {
  Lazy: ComponentType<Omit<PartProps, 'children'> & LoaderProps<Props>>;
  /** Downloads the part before it is needed. */
  preload: () => void;
}

/**
 * A part whose code is downloaded when it is first shown. A retry downloads it again.
 *
 * Does not use React.lazy: it keeps a failed download for good, and React retries a suspended tree
 * at the lowest priority, which the updates of a running worker would starve.
 */
export function lazyPart<Props extends object>(
  load: () => Promise<{ default: ComponentType<Props> }>,
): LazyPart<Props> {
  let loaded: ComponentType<Props> | null = null;
  const download = async (): Promise<ComponentType<Props>> => {
    try {
      await loadMissingStyles();
      loaded = (await load()).default;
      return loaded;
    } catch (error) {
      noteMissingStyles(error);
      throw error;
    }
  };
  function Loader({ loading = null, props }: LoaderProps<Props>) {
    const [Content, setContent] = useState<ComponentType<Props> | null>(() => loaded);
    const [error, setError] = useState<Error | null>(null);
    useEffect(() => {
      if (Content) return undefined;
      let mounted = true;
      download().then(
        (component) => {
          if (mounted) setContent(() => component);
        },
        (failure: unknown) => {
          if (mounted) setError(failure instanceof Error ? failure : new Error(String(failure)));
        },
      );
      return () => {
        mounted = false;
      };
    }, [Content]);
    if (error) throw error;
    return Content ? <Content {...props} /> : loading;
  }
  return {
    Lazy: ({ loading, props, ...part }) => (
      <Part {...part}>
        <Loader loading={loading} props={props} />
      </Part>
    ),
    preload: () => {
      download().catch(() => undefined);
    },
  };
}
