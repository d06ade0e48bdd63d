/** The models that the places about them talk to. */
import type { ChatModels } from '../../store/stages/chat.ts';
import { useClient } from '../context.tsx';

interface MayChat {
  stores: unknown;
  chatModels?: ChatModels;
}

/** Null where the page has none. */
export function useChatModels(): ChatModels | null {
  const client: MayChat = useClient();
  return client.chatModels ?? null;
}
