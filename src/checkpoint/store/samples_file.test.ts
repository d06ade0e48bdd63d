/** What a run keeps of its samples. */
import { describe, expect, it } from 'vitest';
import { MAX_SAMPLES, type Sample } from '../../common/index.ts';
import { MAX_SAMPLE_BYTES } from '../sample_lines.ts';
import { codeOfAsync } from '../testing_states.ts';
import { MemoryFileSystem } from './file_system.ts';
import { SamplesFile } from './samples_file.ts';

const sample = (step: number, text = 'a'): Sample => ({
  step,
  prompt: '',
  memorized: false,
  tokens: [{ id: 1, text, probability: 0.25, rivals: [{ text: 'b', probability: 0.125 }] }],
});

/** Files of one run; operations follow each other as those of an open run do. */
const openSamples = (fs: MemoryFileSystem): SamplesFile => {
  let queue: Promise<unknown> = Promise.resolve();
  return new SamplesFile(fs, 'runs/a', (action) => {
    const result = queue.then(action);
    queue = result.catch(() => undefined);
    return result;
  });
};

const stepsOf = async (samples: SamplesFile): Promise<number[]> =>
  (await samples.read()).map(({ step }) => step);

/** Writes half of the bytes of the next write and never answers, like a tab that closes. */
class ClosingFileSystem extends MemoryFileSystem {
  closes = false;
  override async write(path: string, bytes: Uint8Array): Promise<void> {
    if (!this.closes) return super.write(path, bytes);
    await super.write(path, bytes.subarray(0, bytes.length >> 1));
    return new Promise(() => undefined);
  }
}

describe('the samples of a run', () => {
  it('come back with tokens, probabilities, rivals and problems', async () => {
    const fs = new MemoryFileSystem();
    const samples = openSamples(fs);
    const refused: Sample = { ...sample(200), tokens: [], problem: 'No such character.' };
    samples.add(sample(100));
    await samples.flush();
    samples.add(refused);
    await samples.flush();
    expect(await openSamples(fs).read()).toEqual([sample(100), refused]);
  });

  it('keep the first and the newest, and stay within their bounds', async () => {
    const fs = new MemoryFileSystem();
    const samples = openSamples(fs);
    const long = 'x'.repeat(15_000);
    for (let step = 1; step <= 900; step += 1) {
      samples.add(sample(step, long));
      if (step % 7 === 0) await samples.flush();
      const bytes = [...fs.files.values()].reduce((sum, file) => sum + file.length, 0);
      expect(bytes).toBeLessThan(4 * MAX_SAMPLE_BYTES);
    }
    await samples.flush();
    const steps = await stepsOf(openSamples(fs));
    expect(steps.length).toBeLessThanOrEqual(MAX_SAMPLES);
    expect(steps.length).toBeGreaterThan(MAX_SAMPLES / 4);
    expect([steps[0], steps.at(-1)]).toEqual([1, 900]);
    // Later steps are closer together.
    expect(steps.slice(-20)).toEqual(Array.from({ length: 20 }, (_, i) => 881 + i));
  });

  it('drop what lies after the step that the run continues from', async () => {
    const fs = new MemoryFileSystem();
    const samples = openSamples(fs);
    for (const step of [10, 20, 30]) samples.add(sample(step));
    await samples.flush();
    const again = openSamples(fs);
    again.rewind(20);
    again.add(sample(25));
    await again.flush();
    expect(await stepsOf(openSamples(fs))).toEqual([10, 20, 25]);
  });

  it('stay pending while storage is full, and are written once there is room', async () => {
    const fs = new MemoryFileSystem();
    const samples = openSamples(fs);
    samples.add(sample(1));
    await samples.flush();
    fs.quota = 10;
    for (let step = 2; step <= 2 * MAX_SAMPLES; step += 1) samples.add(sample(step));
    expect(await codeOfAsync(samples.flush())).toBe('storage_full');
    expect((await stepsOf(samples)).at(-1)).toBe(2 * MAX_SAMPLES);
    fs.quota = Infinity;
    await samples.flush();
    expect(await stepsOf(openSamples(fs))).toEqual(await stepsOf(samples));
  });

  it('survive a tab that closes while the file is replaced', async () => {
    const fs = new ClosingFileSystem();
    const samples = openSamples(fs);
    samples.add(sample(1));
    await samples.flush();
    fs.closes = true;
    for (let step = 2; step <= MAX_SAMPLES + 2; step += 1) samples.add(sample(step));
    void samples.flush();
    await new Promise((resolve) => setTimeout(resolve, 5));
    fs.closes = false;
    const revived = openSamples(fs);
    expect(await stepsOf(revived)).toEqual([1]);
    revived.add(sample(5));
    await revived.flush();
    expect(await stepsOf(openSamples(fs))).toEqual([1, 5]);
  });

  it('are read from a damaged file as far as its lines are valid', async () => {
    const fs = new MemoryFileSystem();
    const samples = openSamples(fs);
    samples.add(sample(1));
    samples.add(sample(2));
    await samples.flush();
    const lines = [
      '{"step":3}',
      '{"step":-1,"prompt":"","memorized":false,"tokens":[]}',
      '{"step":4,"prompt":"","memorized":false,"tokens":[[1,"a",7,[]]]}',
      '[[[[',
      '{"resume":"x"}',
      '{"step":9,"prompt":"cut',
    ];
    await fs.append('runs/a/samples.jsonl.1', new TextEncoder().encode(lines.join('\n')));
    expect(await stepsOf(openSamples(fs))).toEqual([1, 2]);
  });
});
