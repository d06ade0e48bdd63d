/** The port between two ranks: tagged values, whose buffers are transferred. */

export type RankValues =
  Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

export interface RankMessage {
  tag: string;
  data: RankValues;
  /** When it was sent, milliseconds since 1970. */
  sent: number;
}

export interface RankPort {
  /** Takes over the buffer of the values. */
  send(message: RankMessage): void;
  onMessage(listener: (message: RankMessage) => void): void;
  /** The other end is gone, where the browser tells. */
  onClose(listener: () => void): void;
  close(): void;
}

function isRankMessage(value: unknown): value is RankMessage {
  return (
    typeof value === 'object' &&
    value !== null &&
    'tag' in value &&
    'data' in value &&
    'sent' in value &&
    ArrayBuffer.isView(value.data)
  );
}

/** Wraps one end of a MessageChannel. */
export function connectRank(port: MessagePort): RankPort {
  return {
    send: (message) => port.postMessage(message, [message.data.buffer]),
    onMessage: (listener) => {
      port.addEventListener('message', (event: MessageEvent<unknown>) => {
        if (isRankMessage(event.data)) listener(event.data);
      });
      port.start();
    },
    onClose: (listener) => port.addEventListener('close', listener),
    close: () => port.close(),
  };
}
