/** The programs of one matmul in the search: every candidate, its check, and tfjs's kernel. */
import { matMul, type Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  fillInPlace,
  type Outputs,
  type Program,
  type Store,
  submit,
} from '../src/backend/index.ts';
import { gelu } from '../src/ops/activation/functions.ts';
import { largestDifference } from '../src/ops/matmul/compare.ts';
import { type MatmulOptions, matmulKernel } from '../src/ops/matmul/kernel.ts';
import { type Plan, planOf } from '../src/ops/matmul/plan.ts';
import { TILES } from '../src/ops/matmul/tiles.ts';
import { operandShapes, type StepMatmul, transposesOf } from './matmuls.ts';
import { NamedStores } from './named_stores.ts';
import { type Candidate, candidatesOf } from './search_candidates.ts';

/** A kernel in the search. */
export interface Contender {
  /** Null for tfjs's kernel. */
  candidate: Candidate | null;
  /** Null if it did not compile, or if its result is wrong. */
  program: Program | null;
  /** Runs the candidate and compares its results; null for tfjs's kernel. */
  check: Program | null;
  /** Why there is no program. */
  why: string | null;
  /** Largest difference over the largest value, once checked. */
  difference: number | null;
  /** Milliseconds of one run, once timed. */
  ms: number | null;
}

export interface SearchCase {
  matmul: StepMatmul;
  contenders: Contender[];
  dispose(): void;
}

const OPERANDS = ['a', 'b', 'bias', 'residual', 'before'] as const;
type Operand = (typeof OPERANDS)[number];
type Result = 'c' | 'after' | 'columns';
type TensorName = Operand | Result | `wanted_${Result}`;
type Prefix = '' | 'wanted_';

export interface CaseOptions {
  /** Selects candidates with this in their name; null selects all. */
  tile: string | null;
  /** Whether the device has subgroup matrices. */
  subgroups: boolean;
  /** The tensor `largest` [2], to which checks write the largest difference and value. */
  largest: Store;
}

/**
 * Compiles all programs of a matmul at the same time. Candidates that do not compile are kept with
 * the reason.
 */
export async function prepareCase(matmul: StepMatmul, options: CaseOptions): Promise<SearchCase> {
  const tensors = new CaseTensors(matmul);
  const expected = await compileProgram('expected', (): Outputs => {
    tensors.clearResults('wanted_');
    tensors.multiply(planOf(TILES.small, matmul, 1, 'separate'), 'wanted_');
    return {};
  });
  submit([expected]);
  const candidates = candidatesOf(matmul, options.subgroups).filter(
    ({ name }) => options.tile === null || name.includes(options.tile),
  );
  const contenders = await Promise.all(
    candidates.map((candidate) => compileCandidate(candidate, tensors, options.largest)),
  );
  contenders.push(await compileTfjs(matmul, tensors));
  return {
    matmul,
    contenders,
    dispose: () => {
      for (const { program, check } of contenders) {
        program?.dispose();
        check?.dispose();
      }
      tensors.dispose();
    },
  };
}

/** Operands and results of a matmul. The expected results have the prefix `wanted_`. */
class CaseTensors {
  readonly #matmul: StepMatmul;
  readonly #results: readonly Result[];
  readonly #stores: NamedStores<TensorName>;

  constructor(matmul: StepMatmul) {
    this.#matmul = matmul;
    this.#results = resultsOf(matmul);
    const names = [
      ...operandsOf(matmul),
      ...this.#results.flatMap((name) => [name, `wanted_${name}`] as const),
    ];
    const shapes = shapesOf(matmul);
    this.#stores = new NamedStores<TensorName>(names, (name) => shapes[name]);
    this.#stores.fill(OPERANDS);
  }

  get(name: TensorName): Tensor {
    return this.#stores.get(name);
  }

  clearResults(prefix: Prefix): void {
    for (const name of this.#results) fillInPlace(this.get(`${prefix}${name}`), 0);
  }

  /** Dispatches the matmul with its epilogue. */
  multiply(plan: Plan, prefix: Prefix): void {
    const { epilogue } = this.#matmul;
    const get = (name: Operand): Tensor => this.get(name);
    const result = (name: Result): Tensor => this.get(`${prefix}${name}`);
    const options: MatmulOptions = {
      ...transposesOf(this.#matmul),
      plan: () => plan,
      into: epilogue.into ? result('c') : undefined,
      to: epilogue.into ? undefined : result('c'),
      bias: epilogue.bias ? get('bias') : undefined,
      residual: epilogue.residual ? get('residual') : undefined,
      apply: epilogue.gelu ? { f: gelu, to: result('after') } : undefined,
      derivative: epilogue.gelu_grad ? { f: gelu, before: get('before') } : undefined,
      columns: epilogue.columns ? { to: result('columns'), add: true } : undefined,
    };
    matmulKernel(get('a'), get('b'), options);
  }

  /** Dispatches the comparison of all results with the expected ones. */
  compare(largest: Tensor): void {
    // All results share one pair of numbers: they are of similar size.
    for (const name of this.#results)
      largestDifference(largest, this.get(name), this.get(`wanted_${name}`));
  }

  dispose(): void {
    this.#stores.dispose();
  }
}

function operandsOf({ epilogue }: StepMatmul): Operand[] {
  const names: Operand[] = ['a', 'b'];
  if (epilogue.bias) names.push('bias');
  if (epilogue.residual) names.push('residual');
  if (epilogue.gelu_grad) names.push('before');
  return names;
}

function resultsOf({ epilogue }: StepMatmul): Result[] {
  const names: Result[] = ['c'];
  if (epilogue.gelu) names.push('after');
  if (epilogue.columns) names.push('columns');
  return names;
}

function shapesOf(matmul: StepMatmul): Record<TensorName, readonly number[]> {
  const { M, N } = matmul;
  return {
    ...operandShapes(matmul),
    bias: [N],
    residual: [M, N],
    before: [M, N],
    after: [M, N],
    columns: [N],
    wanted_c: [M, N],
    wanted_after: [M, N],
    wanted_columns: [N],
  };
}

async function compileCandidate(
  candidate: Candidate,
  tensors: CaseTensors,
  largest: Store,
): Promise<Contender> {
  const contender: Contender = {
    candidate,
    program: null,
    check: null,
    why: null,
    difference: null,
    ms: null,
  };
  const { name, plan } = candidate;
  const compileKernel = (): Promise<Program> =>
    compileProgram(name, (): Outputs => {
      tensors.multiply(plan, '');
      return {};
    });
  const compileCheck = (): Promise<Program> =>
    compileProgram('check', (): Outputs => {
      const pair = largest.get('largest');
      fillInPlace(pair, 0);
      tensors.clearResults('');
      tensors.multiply(plan, '');
      tensors.compare(pair);
      return {};
    });
  try {
    [contender.program, contender.check] = await Promise.all([compileKernel(), compileCheck()]);
  } catch (error) {
    contender.why = error instanceof Error ? error.message : String(error);
  }
  return contender;
}

async function compileTfjs(matmul: StepMatmul, tensors: CaseTensors): Promise<Contender> {
  const { transpose_a, transpose_b } = transposesOf(matmul);
  const program = await compileProgram('tfjs', () => ({
    c: matMul(tensors.get('a'), tensors.get('b'), transpose_a, transpose_b),
  }));
  return { candidate: null, program, check: null, why: null, difference: null, ms: null };
}
