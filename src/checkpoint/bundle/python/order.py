"""Which rows a step reads. As in the page, randomness is a function of (seed, step, row): the hash and
the generator are those of src/data/random.ts, in 32-bit integers. Needs numpy only."""

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
    """Hashes integers to a uniform integer in [0, 2^32)."""
    state = 0x9E3779B9
    for value in values:
        # The product is a signed integer in JavaScript; the sum is the same modulo 2^32.
        state = mix(state * 31 + value + 0x6D2B79F5)
    return state


def hash_unit(*values):
    """Hashes integers to a uniform number in [0, 1) with 53 random bits."""
    high = hash32(*values, 1) >> 5
    low = hash32(*values, 2) >> 6
    return (high * 2**26 + low) / 2**53


def epoch_seed(seed, epoch):
    """The seed of an epoch: the run's own seed for epoch 0, and hashes of it for the others."""
    return seed if epoch == 0 else hash32(seed, epoch)


def shuffled(count, seed):
    """A random permutation of 0, ..., count - 1 (Fisher-Yates) as a list."""
    base = hash32(seed)
    draws = np.arange(1, count, dtype=np.uint64) * np.uint64(0x9E3779B9) & np.uint64(MASK)
    units = mix(np.uint64(base) ^ mix(draws)) / 2**32
    order = list(range(count))
    for draw, i in enumerate(range(count - 1, 0, -1)):
        j = int(units[draw] * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


def crops(tokens, *, block_size, seed, step, rows):
    """Where the rows of a step begin in a text of `tokens` tokens, drawn with replacement (nanoGPT's
    get_batch)."""
    starts = tokens - block_size
    if starts < 1:
        raise SystemExit(f"train.bin has {tokens} tokens, too few for a context of {block_size}.")
    return [int(hash_unit(ROWS, seed, step, row) * starts) for row in range(rows)]


class Epochs:
    """Which examples each step reads. Each epoch is a permutation of all examples, drawn from the seed."""

    def __init__(self, examples, seed):
        self.examples = examples
        self.seed = seed
        self.epoch = -1
        self.order = []

    def step(self, step, count):
        """The indices of the `count` examples of a step."""
        return [self.at(index) for index in range(step * count, (step + 1) * count)]

    def at(self, index):
        """The example at this place of the sequence of all epochs."""
        epoch, place = divmod(index, self.examples)
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = shuffled(self.examples, epoch_seed(self.seed, epoch))
        return self.order[place]
