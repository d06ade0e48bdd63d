/**
 * Trains the model of model.ts with what TensorFlow.js offers: `tf.variableGrads` derives the
 * gradients, `tf.train` updates the variables. Two things that TensorFlow.js lacks are written in its
 * ops, so that the losses can be compared with those of this page: clipping by the global norm, and
 * weight decay.
 */
import * as tf from '@tensorflow/tfjs';
import { resolveModel, type RunConfig, type TrainingConfig } from '../../config/index.ts';
import { initialValues } from '../../model/init.ts';
import { listParameters, type Parameter } from '../../model/parameters.ts';
import { learningRate } from '../../optim/schedule.ts';
import { createGpt, disposeGpt, type Gpt, type GptBatch, lossOf } from './model.ts';

type Gradients = tf.NamedTensorMap;

/** An optimizer of `tf.train` whose learning rate can follow a schedule. */
interface ScheduledOptimizer extends tf.Optimizer {
  setLearningRate(rate: number): void;
}

/** `tf.train.adam`, whose learning rate is protected. */
class ScheduledAdam extends tf.AdamOptimizer implements ScheduledOptimizer {
  setLearningRate(rate: number): void {
    this.learningRate = rate;
  }
}

export class StockTrainer {
  readonly #gpt: Gpt;
  readonly #training: TrainingConfig;
  readonly #optimizer: ScheduledOptimizer;
  /** Matrices: weight decay applies to these only. */
  readonly #decayed: ReadonlyMap<string, tf.Variable>;
  #step = 0;

  /** Starts from the weights that a run of this page with the same seed starts from. */
  constructor(config: RunConfig, vocab_size: number) {
    const model = resolveModel(config.model, vocab_size);
    const parameters = listParameters(model);
    const { seed } = config.training;
    this.#training = config.training;
    this.#optimizer = optimizerOf(config.training);
    const weights = new Map(parameters.map((one) => [one.name, variableOf(one, seed)]));
    this.#gpt = createGpt(model, weights);
    const matrices = new Set(parameters.filter(({ decay }) => decay).map(({ name }) => name));
    this.#decayed = new Map([...weights].filter(([name]) => matrices.has(name)));
  }

  /** One step over its micro-batches. Returns the loss before the update, to be disposed. */
  takeStep(batches: readonly GptBatch[]): tf.Scalar {
    const rate = learningRate(this.#training, this.#step);
    this.#step += 1;
    this.#optimizer.setLearningRate(rate);
    return tf.tidy(() => {
      const { value, grads } = this.#gradientsOf(batches);
      const clipped = clipByGlobalNorm(grads, this.#training.grad_clip);
      this.#optimizer.applyGradients(this.#decay(clipped, rate));
      return value;
    });
  }

  dispose(): void {
    this.#optimizer.dispose();
    disposeGpt(this.#gpt);
  }

  /** Loss and gradients, summed over the micro-batches. */
  #gradientsOf(batches: readonly GptBatch[]): { value: tf.Scalar; grads: Gradients } {
    const variables = [...this.#gpt.weights.values()];
    return batches
      .map((batch) => tf.variableGrads(() => lossOf(this.#gpt, batch), variables))
      .reduce((sum, next) => ({
        value: tf.add(sum.value, next.value),
        grads: mapTensors(sum.grads, (gradient, name) => tf.add(gradient, tensorOf(next, name))),
      }));
  }

  /**
   * Weight decay of the matrices. AdamW shrinks the weights themselves (Loshchilov and Hutter 2019);
   * the other optimizers add it to the gradient.
   */
  #decay(grads: Gradients, rate: number): Gradients {
    const { weight_decay, optimizer } = this.#training;
    if (weight_decay === 0) return grads;
    return mapTensors(grads, (gradient, name) => {
      const variable = this.#decayed.get(name);
      if (!variable) return gradient;
      if (optimizer !== 'adamw') return tf.add(gradient, tf.mul(variable, weight_decay));
      variable.assign(tf.mul(variable, 1 - rate * weight_decay));
      return gradient;
    });
  }
}

function variableOf(parameter: Parameter, seed: number): tf.Variable {
  const values = initialValues(parameter, seed);
  return tf.tidy(() => tf.variable(tf.tensor(values, [...parameter.shape]), true, parameter.name));
}

function optimizerOf(training: TrainingConfig): ScheduledOptimizer {
  const { optimizer, learning_rate, beta1, beta2, epsilon, momentum } = training;
  switch (optimizer) {
    case 'adamw':
    case 'adam':
      return new ScheduledAdam(learning_rate, beta1, beta2, epsilon);
    case 'sgd':
      return momentum > 0
        ? tf.train.momentum(learning_rate, momentum)
        : tf.train.sgd(learning_rate);
    case 'muon':
      throw new Error('TensorFlow.js has no Muon: choose AdamW, Adam or SGD to compare with it.');
    default:
      return optimizer satisfies never;
  }
}

/** Scales all gradients so that their common norm is at most `max_norm`; 0 leaves them as they are. */
function clipByGlobalNorm(grads: Gradients, max_norm: number): Gradients {
  if (max_norm === 0) return grads;
  const squares = Object.values(grads).map((gradient) => tf.sum(tf.square(gradient)));
  const norm = tf.sqrt(squares.reduce((a, b) => tf.add(a, b)));
  const factor = tf.minimum(1, tf.div(max_norm, tf.add(norm, 1e-6)));
  return mapTensors(grads, (gradient) => tf.mul(gradient, factor));
}

function mapTensors(
  tensors: Gradients,
  map: (tensor: tf.Tensor, name: string) => tf.Tensor,
): Gradients {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, map(tensor, name)]),
  );
}

function tensorOf({ grads }: { grads: Gradients }, name: string): tf.Tensor {
  const found = grads[name];
  if (!found) throw new Error(`There is no gradient of ${name}.`);
  return found;
}
