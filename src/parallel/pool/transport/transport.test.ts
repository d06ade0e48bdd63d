import { afterEach, describe, expect, it, vi } from 'vitest';
import { PoolError } from '../error.ts';
import { answer, invite, readCode, writeCode } from './codes.ts';
import { type DataChannelLike, HIGH_WATER, overDataChannel, RTC_CONFIG } from './data_channel.ts';
import { peerOptions } from './peer_room.ts';

afterEach(() => vi.unstubAllGlobals());

describe('servers', () => {
  it('are the one of the page, and no STUN or TURN server', () => {
    expect(RTC_CONFIG).toEqual({ iceServers: [] });
    expect(peerOptions(new URL('https://192.168.0.7:8443/'))).toEqual({
      host: '192.168.0.7',
      port: 8443,
      path: '/signals/',
      secure: true,
      config: { iceServers: [] },
      debug: 0,
    });
    expect(peerOptions(new URL('http://localhost/class/'))).toMatchObject({
      port: 80,
      path: '/class/signals/',
      secure: false,
    });
  });
  it('are none for connections by codes, which need an address of the laptop', async () => {
    const configs: unknown[] = [];
    let sdp = 'v=0 a=candidate:1';
    class Connection extends EventTarget {
      iceGatheringState = 'complete';
      localDescription = { sdp };
      constructor(config: unknown) {
        super();
        configs.push(config);
      }
      createDataChannel = () => new EventTarget();
      createOffer = () => Promise.resolve({});
      createAnswer = () => Promise.resolve({});
      setLocalDescription = () => Promise.resolve();
      setRemoteDescription = () => Promise.resolve();
    }
    vi.stubGlobal('RTCPeerConnection', Connection);
    const { code } = await invite('ABCDEF');
    expect((await answer(code)).room).toBe('ABCDEF');
    expect(configs).toEqual([{ iceServers: [] }, { iceServers: [] }]);
    sdp = 'v=0';
    await expect(invite('ABCDEF')).rejects.toMatchObject({ code: 'blocked' });
    await expect(answer(code)).rejects.toMatchObject({ code: 'blocked' });
  });
});

describe('codes', () => {
  const code = { kind: 'offer', room: 'ABCDEF', sdp: 'v=0\r\na=candidate\r\n'.repeat(40) } as const;
  it('are read as they were written, with line breaks that a mail adds', () => {
    const text = writeCode(code);
    expect(text).toMatch(/^[\w-]+$/u);
    expect(readCode(` ${text.slice(0, 20)}\n${text.slice(20)} `, 'offer')).toEqual(code);
  });
  it.each([
    ['', 'empty'],
    ['hello', 'another text'],
    [writeCode(code).slice(0, -9), 'cut off'],
    ['A'.repeat(30_000), 'too long'],
    [writeCode({ ...code, kind: 'answer' }), 'of the other kind'],
  ])('are refused in a sentence: %#', (text) => {
    expect(() => readCode(text, 'offer')).toThrow(PoolError);
  });
});

class FakeDataChannel extends EventTarget implements DataChannelLike {
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType: BinaryType = 'blob';
  readyState = 'open' as const;
  readonly sent: ArrayBuffer[] = [];
  send(data: unknown): void {
    if (!(data instanceof Uint8Array)) throw new Error('Bytes were expected.');
    this.sent.push(data.slice().buffer);
    this.bufferedAmount += data.length;
  }
  close(): void {
    this.dispatchEvent(new Event('close'));
  }
}

describe('a data channel', () => {
  it('gives the browser no more than it can hold, and the rest when it asks', () => {
    const fake = new FakeDataChannel();
    const channel = overDataChannel(fake);
    channel.send(new Uint8Array(4 * HIGH_WATER));
    expect(fake.bufferedAmount).toBeLessThan(1.1 * HIGH_WATER);
    expect(channel.bufferedAmount).toBe(4 * HIGH_WATER + 4);
    for (let i = 0; i < 10; i++) {
      fake.bufferedAmount = 0;
      fake.dispatchEvent(new Event('bufferedamountlow'));
    }
    const total = fake.sent.reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(total).toBe(4 * HIGH_WATER + 4);
  });
  it('closes when a message is announced that is longer than its peer may send', () => {
    const fake = new FakeDataChannel();
    const channel = overDataChannel(fake);
    const closed = vi.fn();
    channel.onClose(closed);
    channel.limit(1000);
    const announce = (length: number): void => {
      const data = Uint32Array.of(length).buffer;
      fake.dispatchEvent(new MessageEvent('message', { data }));
    };
    announce(1000);
    fake.dispatchEvent(new MessageEvent('message', { data: new ArrayBuffer(1000) }));
    expect(closed).not.toHaveBeenCalled();
    announce(1001);
    expect(closed).toHaveBeenCalledOnce();
  });
  it('keeps what arrives early, and closes if the other end speaks something else', () => {
    const sender = new FakeDataChannel();
    overDataChannel(sender).send(Uint8Array.of(1, 2, 3));
    const receiver = new FakeDataChannel();
    const channel = overDataChannel(receiver);
    for (const data of sender.sent) receiver.dispatchEvent(new MessageEvent('message', { data }));
    const heard: Uint8Array[] = [];
    const closed = vi.fn();
    channel.onMessage((bytes) => heard.push(bytes));
    channel.onClose(closed);
    expect(heard).toEqual([Uint8Array.of(1, 2, 3)]);
    receiver.dispatchEvent(new MessageEvent('message', { data: 'text' }));
    receiver.dispatchEvent(new MessageEvent('message', { data: new ArrayBuffer(2) }));
    expect(closed).toHaveBeenCalledOnce();
  });
});
