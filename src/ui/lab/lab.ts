/** The lab of this page, which goes on while other places are shown. */
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

export const useLabClient = (): LabClient => labOf(useClient());

export const useLab = <T>(select: (state: LabState) => T): T => useStore(store, select);
