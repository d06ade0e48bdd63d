/** Settings of the stages after pretraining. Not part of `config/index.ts`: loaded with the stages. */
export * from './schema.ts';
export * from './parse.ts';
export * from './recipe.ts';
export * from './reward_model.ts';
export * from './check.ts';
export * from './defaults.ts';
export * from './fields.ts';
export * from './labels.ts';
export * from './reward_help.ts';
export * from './chains.ts';
