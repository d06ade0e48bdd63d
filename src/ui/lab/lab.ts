/** The lab of this page, whose run continues while other places are shown. */
import { useStore } from 'zustand';
import { createLab, LabClient, type LabState } from '../../store/lab/index.ts';
import type { Client } from '../../store/index.ts';
import { useClient } from '../context.tsx';

const store = createLab();
let current: { client: Client; lab: LabClient } | null = null;

function labOf(client: Client): LabClient {
  if (current?.client !== client) {
    current?.lab.stop();
    const { spawn } = client.models;
    const saved = (): void => client.library.list();
    const lab = new LabClient({ spawn, saves: true, saved }, store);
    current = { client, lab };
  }
  return current.lab;
}

/** The client that starts and ends ranks. A new one ends the ranks of the client before. */
export const useLabClient = (): LabClient => labOf(useClient());

/** Selects from the state of the lab. */
export const useLab = <T>(select: (state: LabState) => T): T => useStore(store, select);
