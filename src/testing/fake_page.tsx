/**
 * The page over the scripted worker: `src/testing/fake.html?fake=nan` under `npm run dev`. It is not
 * part of the build.
 */
import { Client, createStores } from '../store/index.ts';
import { mount } from '../ui/mount.tsx';
import { SCENARIOS } from './fake_failures.ts';
import { fakePort } from './fake_worker.ts';

const query = new URLSearchParams(location.search);
const scenario = SCENARIOS.find((one) => one === query.get('fake')) ?? 'run';
const speed = Number(query.get('speed') ?? '1');
query.delete('fake');
query.delete('speed');
history.replaceState(null, '', `${location.pathname}?${query.toString()}${location.hash}`);

const root = document.getElementById('root');
if (root) mount(root, new Client(createStores(), () => fakePort({ scenario, speed })));
