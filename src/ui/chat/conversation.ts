/** The conversation of this page, which stays while other places are shown. */
import { useStore } from 'zustand';
import {
  Conversation,
  createChat,
  type ChatModels,
  type ChatState,
} from '../../store/stages/chat.ts';
import { useChatModels } from './models.ts';

const chat = createChat();
let current: { models: ChatModels; conversation: Conversation } | null = null;

/** Null where the page has no models to talk to. */
export function useConversation(): Conversation | null {
  const models = useChatModels();
  if (!models) return null;
  if (current?.models !== models)
    current = { models, conversation: new Conversation(models, chat) };
  return current.conversation;
}

export const useChat = <T>(select: (state: ChatState) => T): T => useStore(chat, select);

export const setSystem = (system: string): void => chat.setState({ system });
