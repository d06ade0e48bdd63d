/** Mounts the page over the training worker. */
import { connectWorker } from './protocol/index.ts';
import { Client, createStores, withThreadWish } from './store/index.ts';
import { mount } from './ui/mount.tsx';

const spawn = withThreadWish(() =>
  connectWorker(
    new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'terrarium' }),
  ),
);

/** Only Compare's rows of stock TensorFlow.js start this one. */
const spawnStock = () =>
  connectWorker(
    new Worker(new URL('./worker/stock/stock_worker.ts', import.meta.url), {
      type: 'module',
      name: 'stock',
    }),
  );

const root = document.getElementById('root');
if (root) mount(root, new Client(createStores(), spawn, spawnStock));
