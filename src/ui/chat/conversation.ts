/** The conversation of this page, which stays while other places are shown. */
import { useStore } from 'zustand';
import {
  Conversation,
  createChat,
  type ChatModels,
  type ChatState,
} from '../../store/stages/chat.ts';
import { useClient } from '../context.tsx';

const chat = createChat();
let current: { models: ChatModels; conversation: Conversation } | null = null;

export function useConversation(): Conversation {
  const { models } = useClient();
  if (current?.models !== models)
    current = { models, conversation: new Conversation(models, chat) };
  return current.conversation;
}

export const useChat = <T>(select: (state: ChatState) => T): T => useStore(chat, select);

export const setSystem = (system: string): void => chat.setState({ system });
