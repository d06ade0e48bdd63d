"""Which rows a step reads. Randomness is a function of (seed, step, row), as in the page: these are
its hash and its generator (src/data/random.ts), in integers of 32 bits. Needs numpy only."""

import numpy as np

MASK = 0xFFFFFFFF
# Separates the draw of rows from other uses of the run's seed.
ROWS = 0x726F7773


def mix(bits):
    """Finalizer of MurmurHash3."""
    bits &= MASK
    bits = ((bits ^ (bits >> 16)) * 0x85EBCA6B) & MASK
    bits = ((bits ^ (bits >> 13)) * 0xC2B2AE35) & MASK
    return bits ^ (bits >> 16)


def hash32(*values):
    """Uniform in [0, 2^32), as a function of integers."""
    state = 0x9E3779B9
    for value in values:
        # The product is a signed integer in JavaScript; the sum is the same modulo 2^32.
        state = mix(state * 31 + value + 0x6D2B79F5)
    return state


def hash_unit(*values):
    """Uniform in [0, 1) with 53 bits."""
    high = hash32(*values, 1) >> 5
    low = hash32(*values, 2) >> 6
    return (high * 2**26 + low) / 2**53


def epoch_seed(seed, epoch):
    """Epoch 0 has the run's own seed, the others a hash of it."""
    return seed if epoch == 0 else hash32(seed, epoch)


def shuffled(count, seed):
    """A permutation of 0 ... count - 1 (Fisher-Yates) [count]."""
    base = hash32(seed)
    draws = np.arange(1, count, dtype=np.uint64) * np.uint64(0x9E3779B9) & np.uint64(MASK)
    units = mix(np.uint64(base) ^ mix(draws)) / 2**32
    order = list(range(count))
    for draw, i in enumerate(range(count - 1, 0, -1)):
        j = int(units[draw] * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


def crops(tokens, *, block_size, seed, step, rows):
    """Where the rows of a step begin in a text, drawn with replacement (nanoGPT's get_batch)."""
    starts = tokens - block_size
    if starts < 1:
        raise SystemExit(f"train.bin has {tokens} tokens, too few for a context of {block_size}.")
    return [int(hash_unit(ROWS, seed, step, row) * starts) for row in range(rows)]


class Epochs:
    """Examples of a step: each epoch is a permutation of all of them, drawn from the seed."""

    def __init__(self, examples, seed):
        self.examples = examples
        self.seed = seed
        self.epoch = -1
        self.order = []

    def step(self, step, count):
        return [self.at(index) for index in range(step * count, (step + 1) * count)]

    def at(self, index):
        epoch, place = divmod(index, self.examples)
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = shuffled(self.examples, epoch_seed(self.seed, epoch))
        return self.order[place]
