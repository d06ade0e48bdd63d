/** The planner: what 7B takes, a mesh that does not divide, and a config.json. */
import { expect, test } from '@playwright/test';

test('plans 7B on a fleet, names what does not divide, and plans a config.json', async ({
  page,
}) => {
  await page.goto('./#plan');
  await page.getByRole('button', { name: 'What would 7B take?' }).click();
  await expect(page.getByTestId('seven-b')).toContainText('14.0 GB as float16 weights, and 112 GB');
  await expect(page.getByTestId('plan-one')).toContainText('2 + 2 + 4 + 8 bytes a parameter');
  await expect(page.getByTestId('plan-found')).toContainText(/^8 ranks of 24\.0 GB are enough/);
  await expect(page.getByTestId('plan-bars')).toContainText('Fits:');
  await expect(page.getByTestId('plan-traffic')).toContainText('reduce-scatter: gradients');

  await page.getByLabel('Tensor parallel').fill('3');
  await expect(page.getByText('32 heads cannot be split evenly among 3 ranks')).toBeVisible();
  await page.getByLabel('Tensor parallel').fill('1');

  const config = {
    model_type: 'llama',
    hidden_size: 512,
    intermediate_size: 1376,
    num_attention_heads: 8,
    num_hidden_layers: 8,
    vocab_size: 32000,
    max_position_embeddings: 1024,
  };
  await page.getByTestId('plan-file').setInputFiles({
    name: 'config.json',
    mimeType: 'application/json',
    buffer: Buffer.from(JSON.stringify(config)),
  });
  await expect(page.getByRole('region', { name: 'Model' })).toContainText('8 layers of width 512');
  await page.getByTestId('plan-file').setInputFiles({
    name: 'config.json',
    mimeType: 'application/json',
    buffer: Buffer.from('{"model_type":"llama"}'),
  });
  await expect(page.getByRole('alert')).toContainText('does not state num_attention_heads');
});
