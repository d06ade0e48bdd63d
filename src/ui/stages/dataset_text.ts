/** What a model learned from and how, in a few words. */
import { stageLabel } from '../../config/stage/index.ts';
import { count, type RunRecord } from '../../store/index.ts';

/** "Tiny tales, asked; 2,000 examples; LoRA r 8", or the name of the training text. */
export function datasetText({ lineage, stage }: RunRecord): string {
  if (!stage) return lineage.dataset;
  const { dataset, peft } = stage;
  const { names } = stageLabel('dataset.task');
  const task = dataset.task === 'own' ? lineage.dataset : (names?.[dataset.task] ?? dataset.task);
  const parts = dataset.votes === 'only' ? ['your votes'] : [task, sizeText(stage)];
  if (dataset.votes === 'beside') parts.push('your votes');
  if (peft.peft_type === 'lora') parts.push(`LoRA r ${peft.r}`);
  return parts.filter((part) => part !== '').join(' · ');
}

const UNITS = { sft: 'examples', reward: 'pairs', dpo: 'pairs', ppo: 'prompts', grpo: 'prompts' };

function sizeText({ objective, dataset }: NonNullable<RunRecord['stage']>): string {
  return dataset.task === 'own' ? '' : `${count(dataset.size)} ${UNITS[objective]}`;
}
