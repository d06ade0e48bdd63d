import code from './activation.wgsl?raw';

/**
 * WGSL functions `value_at` and `derivative_at` of one f32, for the activation that the pipeline
 * constant ACTIVATION selects (`Activation.code`).
 */
export const activationCode = `alias Value = f32;\n${code}`;
/** The same of a vec4f. */
export const activationCodeOfFour = `alias Value = vec4f;\n${code}`;
