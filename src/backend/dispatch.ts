/** Runs one WGSL kernel over tensors: now, or as a command of the program being traced. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Dispatch } from './dispatch_types.ts';
import { HALVES, storageFor, storageOf, type StorageType, storeAsFloat16 } from './float16.ts';
import { packParams, pipelineAsync, pipelineNow } from './pipelines.ts';
import { runOnProcessor } from './processor_dispatch.ts';
import { onProcessor, state, tensorMemory, webgpu } from './state.ts';
import { encodeInto, ensureOnGpu, temporaryUniform, tfjsProgramRuns } from './tfjs_private.ts';
import { ownerOf } from './viewed.ts';

export type { Dispatch, Param } from './dispatch_types.ts';

let opByOp = 0;

/** Number of dispatches that ran op by op, ours and tfjs's. A replay adds none. */
export function opByOpDispatches(): number {
  return opByOp + tfjsProgramRuns();
}

/** Runs the kernel now, or adds it to the program being traced. WebGPU only. */
export function dispatch(call: Dispatch): void {
  if (state.trace) {
    state.trace.add(call, {
      on: 'gpu',
      pipeline: pipelineAsync(webgpu().device, call),
      uniform: call.params ? packParams(call.params) : null,
      workgroups: call.workgroups,
    });
    return;
  }
  const { backend, device } = webgpu();
  const bound = [...call.writes, ...(call.updates ?? []), ...call.reads];
  const resources: GPUBindingResource[] = bound.map((tensor) =>
    ensureOnGpu(backend, tensor.dataId),
  );
  if (call.params) resources.push({ buffer: temporaryUniform(backend, packParams(call.params)) });
  const pipeline = pipelineNow(device, call);
  const group = device.createBindGroup({
    label: call.name,
    layout: pipeline.getBindGroupLayout(0),
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });
  const used = [...bound, ...bound.map(ownerOf)];
  encodeInto(backend, { pipeline, group, workgroups: call.workgroups, used });
  opByOp++;
}

/** A new tensor for a kernel to write. Its contents are undefined until then. Own kernels only. */
export function output(
  shape: readonly number[],
  dtype: 'float32' | 'int32' | 'float16' = 'float32',
): Tensor {
  const tensor = tensorMemory().placeholder(shape, dtype === 'int32' ? 'int32' : 'float32');
  if (dtype === 'float16') storeAsFloat16(tensor);
  return tensor;
}

/**
 * A new activation, or the gradient of one, stored as `withActivations` says if the shape allows
 * it. Own kernels only.
 */
export function activation(shape: readonly number[]): Tensor {
  return output(shape, storageFor(shape));
}

/**
 * Whether no other tensor (a clone, a view) shares the tensor's buffer, so that it may be written
 * in place. False on other backends.
 */
export function ownsBuffer(tensor: Tensor): boolean {
  return state.memory?.references(tensor) === 1;
}

/** target += source, in place, for tensors of one size. Own kernels only. */
export function addInPlace(target: Tensor, source: Tensor): void {
  writeElementwise('add_in_place', target, source, true);
}

/** target = source, in place, for tensors of one size. Own kernels only. */
export function copyInPlace(target: Tensor, source: Tensor): void {
  writeElementwise('copy_in_place', target, source, false);
}

/**
 * A new tensor with the same values in float32 or float16, rounded to nearest. Rows of float16
 * tensors must be a multiple of four values. WebGPU only.
 */
export function convert(tensor: Tensor, storage: StorageType): Tensor {
  const converted = output(tensor.shape, storage);
  const name = storage === 'float16' ? 'pack_halves' : 'unpack_halves';
  writeElementwise(name, converted, tensor, false);
  return converted;
}

/** Adds `source` to `target`, or assigns it. Either may be stored as float16. */
function writeElementwise(name: string, target: Tensor, source: Tensor, add: boolean): void {
  if (onProcessor()) {
    const [writes, updates] = add ? [[], [target]] : [[target], []];
    const params = [['i32', target.size]] as const;
    runOnProcessor({ kernel: name, writes, updates, reads: [source], params });
    return;
  }
  const toFloat16 = storageOf(target) === 'float16';
  const fromFloat16 = storageOf(source) === 'float16';
  const four = toFloat16 || fromFloat16;
  const float32Type = four ? 'vec4f' : 'f32';
  const n = target.size / (four ? 4 : 1);
  const before = toFloat16 ? 'from_halves(target_values[i])' : 'target_values[i]';
  const term = fromFloat16 ? 'from_halves(source[i])' : 'source[i]';
  const value = add ? `${before} + ${term}` : term;
  const targetType = toFloat16 ? 'vec2u' : float32Type;
  const sourceType = fromFloat16 ? 'vec2u' : float32Type;
  const code = `${four ? HALVES : ''}
@group(0) @binding(0) var<storage, read_write> target_values: array<${targetType}>;
@group(0) @binding(1) var<storage, read> source: array<${sourceType}>;
struct Params { n: u32 }
@group(0) @binding(2) var<uniform> p: Params;
${ONE_VALUE_A_THREAD}
  if (i < p.n) { target_values[i] = ${toFloat16 ? `to_halves(${value})` : value}; }
}`;
  dispatch({
    name,
    code,
    writes: add ? [] : [target],
    updates: add ? [target] : [],
    reads: [source],
    params: [['u32', n]],
    workgroups: grid(Math.ceil(n / 64)),
  });
}

/** The head of an entry point in which thread `i` handles value `i`, over a `grid`. */
const ONE_VALUE_A_THREAD = `@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) n: vec3u,
  @builtin(local_invocation_index) l: u32,
) {
  let i = (w.y * n.x + w.x) * 64u + l;`;

const FILL = `
@group(0) @binding(0) var<storage, read_write> values: array<f32>;
struct Params { n: u32, value: f32 }
@group(0) @binding(1) var<uniform> p: Params;
${ONE_VALUE_A_THREAD}
  if (i < p.n) { values[i] = p.value; }
}`;

/** Sets all values of the target, in place. Own kernels only. */
export function fillInPlace(target: Tensor, value: number): void {
  if (onProcessor()) {
    const params = [
      ['i32', target.size],
      ['f32', value],
    ] as const;
    runOnProcessor({ kernel: 'fill_in_place', writes: [target], updates: [], reads: [], params });
    return;
  }
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

const MAX_WORKGROUPS = 65535;

/**
 * Splits `n` workgroups over x and y if x alone would exceed the limit. The workgroup's index is
 * `id.y * num_workgroups.x + id.x`, which may reach beyond `n`.
 */
export function grid(n: number): [number, number, number] {
  if (n <= MAX_WORKGROUPS) return [n, 1, 1];
  const y = Math.ceil(n / MAX_WORKGROUPS);
  return [Math.ceil(n / y), y, 1];
}
