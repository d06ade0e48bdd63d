import { Template } from '@huggingface/jinja';
import { expect, test } from 'vitest';
import { byteTokenizer } from '../tokenizer/byte.ts';
import { boundedTemplate } from './bounded_template.ts';
import brought from './fixtures/brought.json' with { type: 'json' };
import { chatFormat } from './index.ts';
import { OWN_TEMPLATE } from './own_template.ts';

const messages = [
  { role: 'user', content: 'Who sat?' },
  { role: 'assistant', content: 'The cat.' },
];

const doubling = (start: string, twice: string) =>
  `{% set ns = namespace(x=${start}) %}` +
  `{% for i in range(60) %}{% set ns.x = ${twice} %}{% endfor %}{{ ns.x | tojson }}`;

const HOSTILE: [string, string, RegExp][] = [
  ['counts to a thousand million', '{% for i in range(10**9) %}x{% endfor %}', /counts further/],
  ['counts by nothing', '{% for i in range(0, 9, 0) %}x{% endfor %}', /counts further/],
  ['counts to infinity', '{% for i in range(10.0 ** 308 * 10) %}{% endfor %}', /counts further/],
  [
    'has loops in loops',
    '{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}',
    /does not come to an end/,
  ],
  ['calls itself', '{% macro f(g) %}{{ g(g) }}{{ g(g) }}{% endmacro %}{{ f(f) }}', /call stack/],
  ['doubles a text', doubling("'x'", 'ns.x ~ ns.x'), /too large/],
  ['doubles a list', doubling('[1]', 'ns.x + ns.x'), /too large/],
  ['nests a list in itself twice', doubling('[1]', '[ns.x, ns.x]'), /too large/],
  [
    'nests namespaces',
    `{% set a = namespace() %}{% set b = namespace(x=[a, a]) %}${doubling('[b, b]', '[ns.x, ns.x]')}`,
    /too large/,
  ],
  ['contains itself', '{% set a = namespace() %}{% set a.x = a %}{{ a }}', /call stack|too large/],
];

test.each(HOSTILE)('stops a template that %s', (_, template, reason) => {
  expect(() => boundedTemplate(template)({ messages })).toThrow(reason);
});

test('a chat template that does not end is told in a sentence', () => {
  const template = '{% for i in range(10**9) %}x{% endfor %}';
  expect(() => chatFormat(byteTokenizer(), template)).toThrow(
    'The chat template of this model cannot write the conversation: it counts further than 100,000.',
  );
});

test('writes what the unbounded interpreter writes', () => {
  const dated =
    "{{ strftime_now('%d %m %Y %H %%') }}{% for i in range(2, 9, 3) %}{{ i }}{% endfor %}";
  const templates = [OWN_TEMPLATE, dated, ...brought.map(({ template }) => template)];
  expect(templates.length).toBeGreaterThan(3);
  for (const template of templates) {
    const items = {
      messages,
      add_generation_prompt: true,
      tools: null,
      bos_token: '',
      eos_token: '',
    };
    expect(boundedTemplate(template)(items)).toBe(new Template(template).render(items));
  }
});

test('a conversation of a thousand turns is far from the bounds', () => {
  const turns = Array.from({ length: 500 }, () => messages).flat();
  expect(boundedTemplate(OWN_TEMPLATE)({ messages: turns }).length).toBeGreaterThan(10_000);
});
