/** WGSL `value_at` and `derivative_at` of the activation that the constant ACTIVATION names (`Activation.code`). */
export { default as activationCode } from './activation.wgsl?raw';
