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

class FakeDataChannel extends EventTarget implements DataChannelLike {
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType: BinaryType = 'blob';
  static first: RTCDataChannelState = 'open';
  readyState = FakeDataChannel.first;
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

describe('a connection by codes', () => {
  class FakeConnection extends EventTarget {
    iceGatheringState = 'complete';
    connectionState = 'new';
    isClosed = false;
    readonly dataChannel = new FakeDataChannel();
    readonly localDescription = { sdp: 'v=0 a=candidate:1' };
    createDataChannel = () => this.dataChannel;
    createOffer = () => Promise.resolve({});
    createAnswer = () => Promise.resolve({});
    setLocalDescription = () => Promise.resolve();
    setRemoteDescription = () => Promise.resolve();
    close = () => {
      this.isClosed = true;
    };
    become(state: string): void {
      this.connectionState = state;
      this.dispatchEvent(new Event('connectionstatechange'));
    }
  }
  const theAnswer = writeCode({ kind: 'answer', room: 'ABCDEF', sdp: 'v=0' });
  const theOffer = writeCode({ kind: 'offer', room: 'ABCDEF', sdp: 'v=0' });
  const accepting = async () => {
    vi.useFakeTimers();
    const connection = new FakeConnection();
    vi.stubGlobal('RTCPeerConnection', function RTCPeerConnection() {
      return connection;
    });
    const invitation = await invite('ABCDEF');
    return { connection, accepted: invitation.accept(theAnswer) };
  };
  afterEach(() => vi.useRealTimers());

  it('is kept if it recovers after the other laptop has slept, and is closed if not', async () => {
    const { connection, accepted } = await accepting();
    const channel = await accepted;
    const closed = vi.fn();
    channel.onClose(closed);
    connection.become('failed');
    await vi.advanceTimersByTimeAsync(20_000);
    connection.become('connected');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(closed).not.toHaveBeenCalled();
    connection.become('failed');
    await vi.advanceTimersByTimeAsync(40_000);
    expect(closed).toHaveBeenCalledOnce();
    expect(connection.isClosed).toBe(true);
  });
  it('tells the member whether it reaches the host, until its code is given up', async () => {
    const connection = new FakeConnection();
    vi.stubGlobal('RTCPeerConnection', function RTCPeerConnection() {
      return connection;
    });
    const reached: boolean[] = [];
    const answered = await answer(theOffer, (isReached) => reached.push(isReached));
    for (const state of ['connecting', 'failed', 'connected']) connection.become(state);
    expect(reached).toEqual([true, false, true]);
    answered.close();
    expect(connection.isClosed).toBe(true);
  });
  it.each(['at once', 'after a minute'])('that is not made says so %s', async (when) => {
    FakeDataChannel.first = 'connecting';
    const { connection, accepted } = await accepting();
    FakeDataChannel.first = 'open';
    const refused = expect(accepted).rejects.toMatchObject({ code: 'blocked' });
    await vi.advanceTimersByTimeAsync(100);
    if (when === 'at once') connection.become('failed');
    else await vi.advanceTimersByTimeAsync(60_000);
    await refused;
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
