/** Whether this device stores a single component of a vec4 in shared memory without touching its neighbours. */
import { compileProgram, deviceClass, fillInPlace, type Outputs, readback, Store, submit } from '../../backend/index.ts';
import { type Choices, setChoices } from './choices.ts';
import { fillWithNoise, largestDifference } from './compare.ts';
import { productKernel } from './kernel.ts';
import { planOf, TILES } from './tile.ts';

/** Sets what products are planned by, after the test of component stores where it decides anything. On WebGPU. */
export async function prepareProducts(choices: Choices = {}): Promise<void> {
  setChoices(choices, deviceClass() === 'large' && await testComponentStores());
}

/**
 * Makes a product of some hundred workgroups twice, staged by blocks and by components. Both add in one order, so the results are the
 * same to the bit, unless threads wrote over what others had stored. False too where a kernel does not compile.
 */
export async function testComponentStores(size = 512): Promise<boolean> {
  const [M, N, K] = [size, size, 64], shape = [M, N], store = (name: string, s: number[]): Store => new Store(name, [{ name, shape: s }]);
  const stores = { a: store('a', [M, K]), b: store('b', [N, K]), blocks: store('blocks', shape), components: store('components', shape), largest: store('largest', [2]) };
  const get = (s: keyof typeof stores) => stores[s].get(s), whole = { ...TILES.small, unroll: 4 };
  const make = (staging: 'blocks' | 'components'): void => { productKernel(get('a'), get('b'), { transpose_b: true, to: get(staging), plan: () => planOf({ ...whole, staging }, M, N, K, 1) }); };
  try {
    const program = await compileProgram('component stores', (): Outputs => {
      fillWithNoise(get('a'), 1);
      fillWithNoise(get('b'), 2);
      make('blocks');
      fillInPlace(get('largest'), 0);
      for (let i = 0; i < 3; i++) {
        fillInPlace(get('components'), NaN);
        make('components');
        largestDifference(get('largest'), get('components'), get('blocks'));
      }
      return {};
    });
    try {
      submit([program]);
      const [pair] = await readback([get('largest')]);
      return pair?.[0] === 0 && (pair[1] ?? 0) > 1;
    } finally { program.dispose(); }
  } catch { return false; } finally { for (const s of Object.values(stores)) s.dispose(); }
}
