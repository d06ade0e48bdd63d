/** Hooks that give components the client and subscriptions to slices of its stores. */
import { createContext, useContext, type ReactNode } from 'react';
import { useStore } from 'zustand';
import type {
  Client,
  FormState,
  LibraryState,
  RunState,
  ViewState,
  WriteState,
} from '../store/index.ts';

const ClientContext = createContext<Client | null>(null);

export function ClientProvider({ client, children }: { client: Client; children: ReactNode }) {
  return <ClientContext.Provider value={client}>{children}</ClientContext.Provider>;
}

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error('useClient must be used inside a ClientProvider.');
  return client;
}

export const useRun = <T,>(select: (state: RunState) => T): T =>
  useStore(useClient().stores.run, select);
export const useForm = <T,>(select: (state: FormState) => T): T =>
  useStore(useClient().stores.form, select);
export const useView = <T,>(select: (state: ViewState) => T): T =>
  useStore(useClient().stores.view, select);
export const useWrite = <T,>(select: (state: WriteState) => T): T =>
  useStore(useClient().stores.write, select);
export const useLibrary = <T,>(select: (state: LibraryState) => T): T =>
  useStore(useClient().stores.library, select);
export const useSamples = () => useStore(useClient().stores.samples, (state) => state.samples);
