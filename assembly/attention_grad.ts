/**
 * The gradient of causal attention. One chunk computes dQ, dK and dV of a key head (of a part of its
 * keys, where heads are few): for a block of queries, strip by strip, the weights P and the gradients
 * of scores dS are computed again from `lse` and stored in scratch memory, then dV += P^T dY and
 * dK += dS^T Q for all keys of the block. (FlashAttention-2, Dao 2023, algorithm 2.)
 */
import { chunksOf } from './rows';
import { barrier, claim } from './threads';
import { pointerAt } from './inlined/args';
import {
  firstKey,
  headBytes,
  headsOfChunk,
  keyHeads,
  outputBytes,
  packedBytes,
  queryHeads,
  rowCount,
  sequences,
} from './attention_shape';
import { blockGradient } from './attention_grad_block';
import { clearGradients, packKeys, unpackGradients } from './attention_grad_keys';
import {
  BLOCK,
  gradients,
  partEnd,
  partFirst,
  partials,
  partKeys,
  parts,
  readGradient,
  setPart,
} from './attention_grad_state';

/**
 * qkv, y, lse and dy as in `attention` -> dqkv; rng and document starts are optional. Parameters:
 * `readShape`, then the number of keys of a part (all of them).
 */
export function attention_grad(args: usize): void {
  readGradient(args + 4, pointerAt(args, 0), 0);
  computeParts();
}

/**
 * The same in several parts; the second argument is partials [parts, sequences rows, n_head head_dim],
 * what each part adds to dQ.
 */
export function attention_grad_parts(args: usize): void {
  readGradient(args + 8, pointerAt(args, 0), pointerAt(args, 1));
  computeParts();
  barrier();
  sumPartials();
}

function computeParts(): void {
  const heads = sequences * keyHeads;
  const share = headsOfChunk(heads);
  const shares = chunksOf(heads, share);
  for (let chunk = claim(); chunk < parts * shares; chunk = claim()) {
    // The first keys are seen by the most queries, so they start first.
    setPart(chunk / shares);
    const firstHead = (chunk % shares) * share;
    const endHead = min(heads, firstHead + share);
    for (let head = firstHead; head < endHead; head++) keyHeadGradient(head);
  }
}

/** dK and dV of the part's keys of a key head, and what they add to dQ. */
function keyHeadGradient(head: i32): void {
  const sequence = head / keyHeads;
  const keyHead = head % keyHeads;
  const group = queryHeads / keyHeads;
  const at =
    <usize>(sequence * rowCount + partFirst) * packedBytes +
    <usize>(queryHeads + keyHead) * headBytes;
  const isPacked = packKeys(at);
  clearGradients();
  for (let queryHead = keyHead * group; queryHead < (keyHead + 1) * group; queryHead++) {
    for (let query = partFirst; query < rowCount; query += BLOCK) {
      // Later queries see only later keys.
      if (firstKey(sequence, query) >= partEnd) break;
      blockGradient(sequence, queryHead, query);
    }
  }
  if (isPacked) unpackGradients(at);
}

/** Rows that a thread claims at once when it sums what the parts add to dQ. */
const SUM_ROWS: i32 = 16;

/** dQ = the sum over the parts that the row sees, in their order. */
function sumPartials(): void {
  const rows = sequences * rowCount;
  const chunks = chunksOf(rows, SUM_ROWS);
  const partBytes = <usize>rows * outputBytes;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rows, (chunk + 1) * SUM_ROWS);
    for (let row = chunk * SUM_ROWS; row < end; row++) {
      const query = row % rowCount;
      const firstPart = <usize>(firstKey(row / rowCount, query) / partKeys);
      const lastPart = <usize>(query / partKeys);
      const from = partials + <usize>row * outputBytes;
      const target = gradients + <usize>row * packedBytes;
      for (let at: usize = 0; at < outputBytes; at += 16) {
        let sum = v128.load(from + at + firstPart * partBytes);
        for (let part = firstPart + 1; part <= lastPart; part++)
          sum = f32x4.add(sum, v128.load(from + at + part * partBytes));
        v128.store(target + at, sum);
      }
    }
  }
}
