import { describe, expect, it } from 'vitest';
import { arithmetic, checkArithmetic } from './arithmetic.ts';
import { checkTale } from './tiny_tales/check.ts';
import { tinyTales } from './tiny_tales/generate.ts';

describe('arithmetic', () => {
  const { documents } = arithmetic(1);
  it('has 24,000 distinct sums, all correct, of all four operations', () => {
    expect(new Set(documents).size).toBe(24_000);
    expect(documents.every((line) => checkArithmetic(line) === true)).toBe(true);
    for (const operator of ['+', '-', '*', '/'])
      expect(documents.filter((line) => line.slice(1).includes(operator)).length).toBeGreaterThan(
        5000,
      );
  });
  it('is a function of the seed', () => {
    expect(arithmetic(1).documents.join() === documents.join()).toBe(true);
    expect(arithmetic(2).documents.join() === documents.join()).toBe(false);
  });
  it('tells correct sums, wrong sums and other text apart', () => {
    expect(['12+7=19', '7-12=-5', '9*9=81', '84/7=12'].map(checkArithmetic)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['12+7=18', '7-12=5', '85/7=12', '5/0=0'].map(checkArithmetic)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(['', '12+7', '1+1=2=2', 'one+1=2', '1%1=0'].map(checkArithmetic)).toEqual([
      null,
      null,
      null,
      null,
      null,
    ]);
  });
});

describe('tiny tales', () => {
  const { documents } = tinyTales(1);
  it('has 30,000 distinct tales of one line each', () => {
    expect(new Set(documents).size).toBe(30_000);
    expect(documents.some((tale) => /[\n{}]/.test(tale))).toBe(false);
  });
  it('is a function of the seed', () => {
    expect(tinyTales(1).documents.join() === documents.join()).toBe(true);
    expect(tinyTales(2).documents.join() === documents.join()).toBe(false);
  });
  it('contains no contradictions, and the checker parses every sentence', () => {
    for (const tale of documents.slice(0, 3000)) {
      const { sentences, understood, contradictions } = checkTale(tale);
      expect({ tale, missed: sentences - understood, contradictions }).toEqual({
        tale,
        missed: 0,
        contradictions: [],
      });
      expect(sentences).toBeGreaterThan(6);
    }
  });
  it.each([
    [
      'A fact that changes',
      'Lily was a shy fox. She had a red ball and took it everywhere. "I lost my blue ball," said Lily.',
      'The color was "red" and then "blue".',
    ],
    [
      'A hero who changes',
      'Lily was a shy fox. "I am sorry," said Anna.',
      'The hero was "Lily" and then "Anna".',
    ],
    [
      'a pronoun',
      'Lily was a shy fox. He wanted to make a kite for his aunt.',
      'A pronoun does not go with the name.',
    ],
    ['a boy', 'Lily was a shy boy.', "A girl has a boy's name, or the other way round."],
    [
      'a sum',
      'One Monday, Tom went to the lake with five plums. Tom gave two plums to Mia. Now Tom had four plums left.',
      'The numbers do not add up.',
    ],
    [
      'a fruit',
      'One Monday, Tom went to the lake with five plums. Tom gave two pears to Mia.',
      'The numbers do not add up.',
    ],
    [
      'more than there is',
      'One Monday, Tom went to the lake with one plum. Tom gave two plums to Mia.',
      'The numbers do not add up.',
    ],
    [
      'a remedy',
      'But it was raining. So Tom took a big hat.',
      'What was taken along does not go with the weather.',
    ],
    [
      'a consequence',
      'But one evening Tom ran on the ice. Then he got a burned hand.',
      'What happened does not follow from what was done.',
    ],
    [
      'an ingredient',
      'For a cake you need flour and rope.',
      'That is not what the thing is made of.',
    ],
    ['a friend', 'Tom was a shy boy. There he met Tom the duck.', 'A friend has the same name.'],
    [
      'a place',
      'They looked behind the wall, but it was not there. Then Tom found the red ball behind the wall.',
      'It was found where it had not been.',
    ],
  ])('reports what does not fit: %s', (_, tale, contradiction) => {
    const report = checkTale(tale);
    expect(report.understood).toBe(report.sentences);
    expect(report.contradictions).toEqual([contradiction]);
  });
  it('counts the sentences that the checker cannot parse', () => {
    expect(checkTale('Lily was a shy fox. Blah blah! "I am sorry," said Lily. And')).toMatchObject({
      sentences: 4,
      understood: 2,
      contradictions: [],
    });
    expect(checkTale('')).toMatchObject({ sentences: 0, understood: 0, contradictions: [] });
  });
});
