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

export function useConversation(): Conversation {
  const { models } = useClient();
  return conversationOf(models);
}

const known = new WeakMap<ChatModels, Conversation>();

function conversationOf(models: ChatModels): Conversation {
  const found = known.get(models) ?? new Conversation(models, chat);
  known.set(models, found);
  return found;
}

export const useChat = <T>(select: (state: ChatState) => T): T => useStore(chat, select);

/** Models are opened again with the next question. */
export const setDtype = (dtype: ChatState['dtype']): void => chat.setState({ dtype });

export const setSystem = (system: string): void => chat.setState({ system });
