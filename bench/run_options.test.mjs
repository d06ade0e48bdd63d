import { describe, expect, it } from 'vitest';
import { queriesOf, readOptions } from './run_options.mjs';

/** The pages that a command line asks for, without what all of them have. */
const pagesOf = (line) => queriesOf(readOptions(line.split(' ').filter(Boolean)));

describe('options of the bench', () => {
  it('are one page per configuration and backend without any', () => {
    const pages = pagesOf('');
    expect(pages).toHaveLength(12);
    expect(pages[0]).toBe('config=T&backend=webgpu&mode=replay&precision=no&dtype=float32');
    expect(new Set(pages).size).toBe(12);
  });
  it('combine lists', () => {
    const line = '--config T,S --backend webgpu --precision no,fp16 --dtype float32,float16';
    const pages = pagesOf(line).map((page) => new URLSearchParams(page));
    expect(pages).toHaveLength(8);
    expect(pages.map((page) => page.getAll('config').length)).toEqual(Array(8).fill(1));
    const pairs = pages.map((page) => `${page.get('precision')} ${page.get('dtype')}`);
    expect(pairs.slice(0, 4)).toEqual(['no float32', 'no float16', 'fp16 float32', 'fp16 float16']);
  });
  it('try one precision, dtype and mode where a backend has only one', () => {
    const lists = '--precision no,fp16 --dtype float32,float16 --mode replay,op_by_op';
    expect(pagesOf(`--config T --backend webgl ${lists}`)).toHaveLength(1);
    expect(pagesOf(`--config T --backend wasm ${lists}`)).toHaveLength(2);
    expect(pagesOf(`--config T --backend webgpu ${lists}`)).toHaveLength(8);
  });
  it('reach every page with numbers, texts and flags', () => {
    for (const page of pagesOf('--config T --lora 8 --recompute selective --profile')) {
      expect(page).toContain('&lora=8&recompute=selective&profile=1');
    }
  });
  it('choose what is measured, with its own lists', () => {
    expect(pagesOf('--encode --vocab_size 500')).toEqual(['encode=1&vocab_size=500']);
    expect(pagesOf('--ops')).toEqual(['ops=1&config=S', 'ops=1&config=M']);
    expect(pagesOf('--generate')).toEqual([
      'generate=1&config=S&backend=webgpu&batch=1',
      'generate=1&config=S&backend=webgpu&batch=64',
    ]);
    expect(pagesOf('--grpo')).toEqual(['grpo=1&config=T&backend=webgpu&precision=no']);
    expect(pagesOf('--ladder --config T').map((page) => page.split('&').slice(1, 3))).toEqual([
      ['backend=webgpu', 'mode=replay'],
      ['backend=webgpu', 'mode=op_by_op'],
      ['backend=webgpu', 'mode=reference'],
      ['backend=webgl', 'mode=replay'],
      ['backend=wasm', 'mode=replay'],
      ['backend=wasm', 'mode=op_by_op'],
      ['backend=wasm', 'mode=reference'],
    ]);
  });
  it('are refused in a sentence', () => {
    expect(() => readOptions(['--steps', 'many'])).toThrow('--steps takes a number, not many.');
    expect(() => readOptions(['--steps=-1'])).toThrow('--steps takes a number, not -1.');
    expect(() => readOptions(['--timeout', 'long'])).toThrow('--timeout takes a number, not long.');
    expect(() => readOptions(['--nope'])).toThrow('--nope');
  });
  it('wait 300 seconds for a page', () => {
    expect(readOptions([])).toMatchObject({ timeout: '300' });
  });
});
