/** What a page sends to others over data channels, counted message by message, and a way to cut it off. */

/**
 * Runs in the page before its scripts. `window.wire` has the bytes of frames that the browser was
 * given; messages, their bytes and those of their payloads by type (src/parallel/pool/messages.ts);
 * and what the room's messages said of rounds and evaluations. `cut(true)` breaks all connections, and
 * new ones, until `cut(false)`.
 */
export function watchWire() {
  const { RTCDataChannel, RTCPeerConnection, TextDecoder } = window;
  const HEADER_BYTES = 16;
  const LENGTH_BYTES = 4;
  let isCut = false;
  const connections = new Set();
  const wire = { frames: 0, types: {}, plan: null, records: {}, evaluations: {} };
  window.wire = Object.assign(wire, {
    cut: (cut) => {
      isCut = cut;
      for (const connection of connections) connection.close();
      connections.clear();
    },
  });

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) {
      super(...options);
      connections.add(this);
      if (isCut) setTimeout(() => this.close());
    }
  };

  /** Bytes of the current message that are still to come, by channel. */
  const open = new WeakMap();
  const send = RTCDataChannel.prototype.send;
  RTCDataChannel.prototype.send = function (frame) {
    send.call(this, frame);
    wire.frames += frame.length;
    const left = open.get(this) || begin(frame);
    open.set(this, left - frame.length);
  };

  /** Counts the message whose first frame this is. Returns its bytes. */
  function begin(frame) {
    const view = new DataView(frame.buffer, frame.byteOffset);
    const length = view.getUint32(0, true);
    const json = view.getUint32(LENGTH_BYTES + 4, true);
    const start = LENGTH_BYTES + HEADER_BYTES;
    const isWhole = frame.length >= start + json;
    const text = new TextDecoder().decode(frame.subarray(start, start + json));
    const message = isWhole ? JSON.parse(text) : { type: 'long' };
    const counted = (wire.types[message.type] ??= { messages: 0, bytes: 0, payload: 0 });
    counted.messages++;
    counted.bytes += LENGTH_BYTES + length;
    counted.payload += length - HEADER_BYTES - json;
    wire.plan = message.plan ?? wire.plan;
    for (const record of message.records ?? []) wire.records[record.round] = record;
    for (const one of message.evaluations ?? []) wire.evaluations[one.round] = one;
    return LENGTH_BYTES + length;
  }
}
