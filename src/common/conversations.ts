/** Conversations, and what people and models say about answers, as page, worker and files have them. */

export type Role = 'system' | 'user' | 'assistant';

export interface Message {
  role: Role;
  content: string;
}

/** A prompt, or what follows it: plain text, or messages that the chat template writes. */
export type Turns = string | readonly Message[];

/** Language modelling or SFT (TRL: `messages`, or `prompt` and `completion`, or `text`). */
export type SftExample =
  { text: string } | { messages: readonly Message[] } | { prompt: Turns; completion: Turns };

/** A preference (TRL: `prompt`, `chosen`, `rejected`, and perhaps `margin`). */
export interface PreferenceExample {
  prompt: Turns;
  chosen: Turns;
  rejected: Turns;
  margin?: number;
  /** What code checks an answer by, if the pair was generated. */
  example?: PromptExample;
}

/** A prompt whose answers code can check, with what the checker needs. */
export interface PromptExample {
  prompt: Turns;
  /** Which checker of the task applies, such as `who` or `reverse`. */
  kind: string;
  /** The right answer, where there is exactly one. */
  answer: string | null;
  /** What the checker reads besides, such as the person, place and ending that a story must have. */
  facts: Readonly<Record<string, string>>;
}

/** A person's choice between two answers of one model. A run keeps its votes in `votes.jsonl`. */
export interface Vote {
  /** Run and step that wrote the answers. */
  run: string;
  step: number;
  prompt: Turns;
  answers: readonly [string, string];
  /** Index of the better answer; null for neither. */
  choice: 0 | 1 | null;
  /** Milliseconds since 1970. */
  at: number;
}
