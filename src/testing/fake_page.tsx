/**
 * The page over the scripted worker: `src/testing/fake.html?fake=nan` under `npm run dev`. It is not
 * part of the build.
 */
import { Client, createStores } from '../store/index.ts';
import { mount } from '../ui/mount.tsx';
import { SCENARIOS } from './fake_failures.ts';
import { fakeChatModels } from './fake_models.ts';
import { inspectedStep, rolloutRecords } from './fake_stage_run.ts';
import { fakePort } from './fake_worker.ts';

const query = new URLSearchParams(location.search);
const scenario = SCENARIOS.find((one) => one === query.get('fake')) ?? 'run';
const speed = Number(query.get('speed') ?? '1');
query.delete('fake');
query.delete('speed');
history.replaceState(null, '', `${location.pathname}?${query.toString()}${location.hash}`);

/** Answers what the scripted worker does not know yet. */
class ScriptedClient extends Client {
  readonly chatModels = fakeChatModels;

  async inspect() {
    const { stage, step } = this.stores.run.getState();
    return stage && step > 0 ? inspectedStep(stage, step) : null;
  }
  async rollouts() {
    return rolloutRecords(this.stores.run.getState().step);
  }
}

const root = document.getElementById('root');
if (root) mount(root, new ScriptedClient(createStores(), () => fakePort({ scenario, speed })));
