/** A request about open models that cannot be carried out. */
export type RefusalCode =
  | 'model_closed'
  | 'context_full'
  | 'reward_model'
  | 'no_reward_model'
  | 'other_tokenizer'
  | 'other_vocabulary'
  | 'no_parent'
  | 'no_items';

/** `message` says in one sentence what happened; `hint` says what to do about it. */
export class ModelRefusal extends Error {
  constructor(
    readonly code: RefusalCode,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}
