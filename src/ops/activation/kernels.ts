import code from './activation.wgsl?raw';

/**
 * WGSL `value_at` and `derivative_at` of the activation that the constant ACTIVATION names
 * (`Activation.code`), for one number.
 */
export const activationCode = `alias Value = f32;\n${code}`;
/** The same for four numbers at once. */
export const activationCodeOfFour = `alias Value = vec4f;\n${code}`;
