/** Mounts the page. The client may talk to the training worker or to a scripted fake. */
import './styles.ts';
import { MantineProvider } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import type { Client } from '../store/index.ts';
import { App } from './App.tsx';
import { ClientProvider } from './context.tsx';
import { begin } from './begin.ts';
import { theme } from './theme.ts';

export function mount(root: HTMLElement, client: Client): void {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        <ClientProvider client={client}>
          <App />
        </ClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
  begin(client);
}
