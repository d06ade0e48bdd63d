/** Why a room, a connection or a message was refused, in a sentence for a person. */

export type PoolErrorCode =
  | 'damaged'
  | 'version'
  | 'too_large'
  | 'no_room'
  | 'full'
  | 'removed'
  | 'ended'
  | 'offline'
  | 'blocked'
  | 'bad_code'
  | 'taken'
  | 'failed';

export class PoolError extends Error {
  override readonly name = 'PoolError';

  /**
   * @param message What happened, in one sentence.
   * @param hint What to do, in one sentence.
   */
  constructor(
    readonly code: PoolErrorCode,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

export const damaged = (what: string): PoolError =>
  new PoolError('damaged', `A message of the room is damaged: ${what}.`, 'Join the room again.');

export const otherVersion = (): PoolError =>
  new PoolError(
    'version',
    'This page and the room’s page are different versions of Terrarium.',
    'Reload both pages, so that they are of one version, and join again.',
  );

/** To a member that was connected before, so that the network is not what isolates the laptops. */
export const noAnswer = (): PoolError =>
  new PoolError(
    'offline',
    'The host’s laptop does not answer.',
    'It may sleep: once it is awake, this page connects by itself.',
  );
