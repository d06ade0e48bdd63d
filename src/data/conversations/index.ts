/** Conversations as tokens: chat templates, special tokens, masks. Loaded with the stages. */
export { chatFormat, type ChatTokens } from './format.ts';
export { OWN_TEMPLATE } from './own_template.ts';
export { chatTokenizer, END, PAD, ROLE_TOKENS } from './roles.ts';
