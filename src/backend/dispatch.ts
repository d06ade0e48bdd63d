/** Running one WGSL kernel over tensors: now, or into the program being traced. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Dispatch } from './dispatch_types.ts';
import { HALVES, storageFor, storageOf, type StorageType, storeAsHalves } from './halves.ts';
import { packParams, pipelineNow } from './pipelines.ts';
import { onWebGpu, state, webgpu } from './state.ts';
import {
  encodeInto,
  ensureOnGpu,
  passingUniform,
  placeholder,
  tfjsProgramRuns,
} from './tfjs_private.ts';
import { ownerOf } from './viewed.ts';

export type { Dispatch, Param } from './dispatch_types.ts';

/** Dispatches that ran op by op, ours and tfjs's: a replay adds none. */
let opByOp = 0;
export const opByOpDispatches = (): number => opByOp + tfjsProgramRuns();

/** True where `kernel` functions can run: on WebGPU. */
export const backendHasKernels = (): boolean => onWebGpu();

/** Dispatches the kernel now, or lists it in the program being traced. */
export function dispatch(d: Dispatch): void {
  if (state.trace) {
    state.trace.add(d);
    return;
  }
  const { backend, device } = webgpu();
  const bound = [...d.writes, ...(d.updates ?? []), ...d.reads];
  const entries: GPUBindGroupEntry[] = bound.map((t, binding) => ({
    binding,
    resource: ensureOnGpu(backend, t.dataId),
  }));
  if (d.params)
    entries.push({
      binding: bound.length,
      resource: { buffer: passingUniform(backend, packParams(d.params)) },
    });
  const pipeline = pipelineNow(device, d);
  const group = device.createBindGroup({
    label: d.name,
    layout: pipeline.getBindGroupLayout(0),
    entries,
  });
  encodeInto(backend, pipeline, group, d.workgroups, [...bound, ...bound.map(ownerOf)]);
  opByOp++;
}

/** A new tensor for a kernel to write: its contents are undefined until then. */
export function output(
  shape: readonly number[],
  dtype: 'float32' | 'int32' | 'float16' = 'float32',
): Tensor {
  const t = placeholder(webgpu().backend, shape, dtype === 'int32' ? 'int32' : 'float32');
  if (dtype === 'float16') storeAsHalves(t);
  return t;
}

/**
 * A new activation, or gradient of one: stored as activations are now (`withActivations`), where
 * its shape allows it.
 */
export const activation = (shape: readonly number[]): Tensor => output(shape, storageFor(shape));

/**
 * Whether no other tensor (a clone, a view) shares the tensor's buffer, so that it may be written
 * in place; false off WebGPU.
 */
export const ownsBuffer = (t: Tensor): boolean => state.webgpu?.refCount(t.dataId) === 1;

/**
 * Whether the source's values are added or take the target's place; either may be stored as halves.
 */
function intoTarget(name: string, plus: boolean, target: Tensor, source: Tensor): void {
  const halves = [target, source].map((t) => storageOf(t) === 'float16');
  const [to = false, from = false] = halves;
  const four = to || from;
  const stored = (half: boolean): string => (half ? 'vec2u' : four ? 'vec4f' : 'f32');
  const n = target.size / (four ? 4 : 1);
  const before = to ? 'from_halves(target_values[i])' : 'target_values[i]';
  const value = `${plus ? `${before} + ` : ''}${from ? 'from_halves(source[i])' : 'source[i]'}`;
  const code = `${four ? HALVES : ''}
@group(0) @binding(0) var<storage, read_write> target_values: array<${stored(to)}>;
@group(0) @binding(1) var<storage, read> source: array<${stored(from)}>;
struct Params { n: u32 }
@group(0) @binding(2) var<uniform> p: Params;
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = (w.y * n.x + w.x) * 64u + l;
  if (i < p.n) { target_values[i] = ${to ? `to_halves(${value})` : value}; }
}`;
  dispatch({
    name,
    code,
    writes: plus ? [] : [target],
    updates: plus ? [target] : [],
    reads: [source],
    params: [['u32', n]],
    workgroups: grid(Math.ceil(n / 64)),
  });
}

/** target += source, in place, of one size; on WebGPU alone. */
export const addInPlace = (target: Tensor, source: Tensor): void =>
  intoTarget('add_in_place', true, target, source);
/** target = source, in place, of one size; on WebGPU alone. */
export const copyInPlace = (target: Tensor, source: Tensor): void =>
  intoTarget('copy_in_place', false, target, source);

/**
 * The same values in float32 (`output`) or halves, rounded to nearest: a new tensor. Rows of halves
 * are multiples of four.
 */
export function convert(t: Tensor, to: StorageType): Tensor {
  const made = output(t.shape, to);
  intoTarget(to === 'float16' ? 'pack_halves' : 'unpack_halves', false, made, t);
  return made;
}

const FILL = `
@group(0) @binding(0) var<storage, read_write> values: array<f32>;
struct Params { n: u32, value: f32 }
@group(0) @binding(1) var<uniform> p: Params;
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = (w.y * n.x + w.x) * 64u + l;
  if (i < p.n) { values[i] = p.value; }
}`;

/** target = value everywhere, in place; on WebGPU alone. */
export function fillInPlace(target: Tensor, value: number): void {
  dispatch({
    name: 'fill_in_place',
    code: FILL,
    writes: [target],
    reads: [],
    params: [
      ['u32', target.size],
      ['f32', value],
    ],
    workgroups: grid(Math.ceil(target.size / 64)),
  });
}

/**
 * Splits `n` workgroups over x and y where x alone would pass the limit; the kernel's index is
 * `id.y * x + id.x`.
 */
export function grid(n: number): [number, number, number] {
  const max = 65535;
  if (n <= max) return [n, 1, 1];
  const y = Math.ceil(n / max);
  return [Math.ceil(n / y), y, 1];
}
