/** Indices of `scalars`, in the order of SCALARS in src/ops/optimizer_update/update.ts. */
export const LEARNING_RATE: usize = 0;
export const BIAS_CORRECTION1: usize = 2;
export const BIAS_CORRECTION2_SQRT: usize = 3;
export const UPDATE_NUMBER: usize = 4;
