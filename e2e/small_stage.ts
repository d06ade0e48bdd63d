/** A stage of a recipe that learns small sums. */
export const smallStage = (objective: string, parent: string, config: object) => ({
  id: objective,
  name: `Small sums, ${objective}`,
  parent,
  stage: {
    objective,
    dataset: { task: 'arithmetic', size: 64, eval_size: 8, preference: 'correct' },
  },
  config,
});
