import { describe, expect, it } from 'vitest';
import { fragmentOf, placeOf } from './place_address.ts';

describe('the address of a place', () => {
  it('names a place and its subject, and comes back', () => {
    expect(fragmentOf('chat', 'a/b')).toBe('#chat/a%2Fb');
    expect(placeOf('#chat/a%2Fb')).toEqual({ at: 'chat', subject: 'a/b' });
    expect(placeOf('#stages')).toEqual({ at: 'stages', subject: null });
  });
  it('is empty for the preset cards and the workspace', () => {
    expect(fragmentOf('workspace', 'run')).toBe('');
  });
  it('ignores fragments that name no place', () => {
    expect([placeOf(''), placeOf('#toString'), placeOf('#train')]).toEqual([null, null, null]);
    expect(placeOf('#chat/%E0%A4')).toEqual({ at: 'chat', subject: null });
  });
});
