"""Batches from memory-mapped tokens. A step is a list of units (rows, or pairs of rows) that does not
depend on the number of ranks; each rank makes the arrays of its own share. Needs numpy only."""

from dataclasses import dataclass, replace

import numpy as np

from order import Epochs, crops


@dataclass
class Batch:
    """`ids`, `targets` and `weights` have the shape [rows, row_length]. As in the page, the weights of a
    whole step sum to 1 over all micro-batches and ranks. In batches of pairs they are 1 for the tokens
    of answers instead, and `pair_weights` sum to 1."""

    ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    # Where the example of each token begins in its row [rows, row_length]; None if rows are not packed.
    document_starts: np.ndarray | None = None
    # Number of latest tokens that a token of a packed row attends to; 0 for all.
    window: int = 0
    # Indices of pairs [rows / 2] (validation pairs follow training pairs), weights of pairs [rows / 2],
    # and the weight of the SFT term on chosen answers.
    pairs: np.ndarray | None = None
    pair_weights: np.ndarray | None = None
    sft_weight: float = 0.0

    def without_weight(self):
        """The same rows with weights of 0, so that they add nothing to a loss."""
        pair_weights = None if self.pair_weights is None else np.zeros_like(self.pair_weights)
        return replace(self, weights=np.zeros_like(self.weights), pair_weights=pair_weights)


class Text:
    """Running text, of which a row is a random crop. A unit is the start of a crop."""

    rows_per_unit = 1

    def __init__(self, bundle):
        data, self.training = bundle["data"], bundle["training"]
        self.row_length = data["row_length"]
        self.train = open_file(bundle, "train.bin", data["dtype"])
        self.val = open_file(bundle, "val.bin", data["dtype"])

    def step(self, step):
        """The units of a step."""
        training = self.training
        rows = training["batch_size"] * training["gradient_accumulation_steps"]
        return crops(
            len(self.train), block_size=self.row_length, seed=training["seed"], step=step, rows=rows
        )

    def total(self, units):
        """What the loss of a step is divided by: its targets."""
        return len(units) * self.row_length

    def tokens(self, units):
        """Tokens that a step counts as trained on."""
        return len(units) * self.row_length

    def batch(self, units, rows, total):
        """The crops at `units`, padded to `rows` rows with rows of weight 0."""
        batch = empty(rows, self.row_length, 0)
        for row, start in enumerate(units):
            self.fill(batch, row, self.train[start : start + self.row_length + 1])
        batch.weights[: len(units)] = 1 / total
        return batch

    def fill(self, batch, row, tokens):
        batch.ids[row, : len(tokens) - 1] = tokens[:-1]
        batch.targets[row, : len(tokens) - 1] = tokens[1:]

    def evaluation(self):
        """Evenly spaced windows of the validation text, the same at every call."""
        rows = self.training["batch_size"]
        width = min(self.row_length, len(self.val) - 1)
        windows = min(self.training["eval_iters"] * rows, (len(self.val) - 1) // width)
        last = len(self.val) - 1 - width
        for first in range(0, windows, rows):
            batch = empty(rows, self.row_length, 0)
            for row in range(min(rows, windows - first)):
                start = 0 if windows == 1 else (first + row) * last // (windows - 1)
                self.fill(batch, row, self.val[start : start + width + 1])
                batch.weights[row, :width] = 1 / (windows * width)
            yield batch


class Examples:
    """Encoded examples, padded on the right; a packed row has several. A unit is the index of a row."""

    rows_per_unit = 1

    def __init__(self, bundle):
        data, training = bundle["data"], bundle["training"]
        self.row_length = data["row_length"]
        self.pad_token_id = data["pad_token_id"]
        self.window = bundle["sliding_window"]
        self.batch_size = training["batch_size"]
        self.units = self.batch_size * training["gradient_accumulation_steps"]
        self.train = Rows(bundle, "train")
        self.val = Rows(bundle, "val")
        self.examples = len(self.train) // self.rows_per_unit
        self.epochs = Epochs(self.examples, training["seed"])

    def step(self, step):
        return self.epochs.step(step, self.units)

    def total(self, units):
        return sum(self.train.counted(row, self.row_length) for row in units)

    def tokens(self, units):
        return sum(min(len(self.train.ids(row)), self.row_length) for row in units)

    def batch(self, units, rows, total):
        return self.rows(self.train, units, rows, total)

    def rows(self, side, units, rows, total):
        batch = empty(rows, self.row_length, self.pad_token_id)
        for row, index in enumerate(units):
            ids, mask = side.ids(index), side.mask(index)
            length = min(len(ids), self.row_length)
            learned = min(length, len(ids) - 1)
            batch.ids[row, :length] = ids[:length]
            batch.targets[row, :learned] = ids[1 : learned + 1]
            batch.weights[row, :learned] = mask[1 : learned + 1]
        batch.weights /= max(total, 1)
        if side.documents is not None:
            batch.document_starts = side.document_starts(units, rows, self.row_length)
            batch.window = self.window
        return batch

    def evaluation(self):
        everything = range(len(self.val))
        total = sum(self.val.counted(row, self.row_length) for row in everything)
        for first in range(0, len(everything), self.batch_size):
            yield self.rows(self.val, everything[first:][: self.batch_size], self.batch_size, total)


class Pairs(Examples):
    """Pairs of answers: the chosen one of pair p in row 2p, the rejected one in row 2p + 1. A unit is the
    index of a pair."""

    rows_per_unit = 2

    def __init__(self, bundle):
        super().__init__(bundle)
        self.sft_weight = bundle["stage"]["dpo"]["sft_weight"]

    def total(self, units):
        """The number of pairs, and the number of tokens of their chosen answers."""
        chosen = sum(self.train.counted(2 * pair, self.row_length) for pair in units)
        return len(units), chosen

    def tokens(self, units):
        return super().tokens(both_answers(units))

    def batch(self, units, rows, total):
        return self.pairs(self.train, units, rows, total)

    def pairs(self, side, units, rows, total):
        """The pairs at `units`, padded to `rows` pairs with pairs of weight 0."""
        batch = self.rows(side, both_answers(units), 2 * rows, 1)
        count, chosen = total
        batch.pairs = np.zeros(rows, np.int64)
        batch.pairs[: len(units)] = np.array(units) + (0 if side is self.train else self.examples)
        batch.pair_weights = np.zeros(rows, np.float32)
        batch.pair_weights[: len(units)] = 1 / count
        batch.sft_weight = self.sft_weight * count / chosen if chosen > 0 else 0.0
        return batch

    def evaluation(self):
        everything = range(len(self.val) // 2)
        chosen = sum(self.val.counted(2 * pair, self.row_length) for pair in everything)
        total = (len(everything), chosen)
        for first in range(0, len(everything), self.batch_size):
            yield self.pairs(self.val, everything[first:][: self.batch_size], self.batch_size, total)

    def all_pairs(self, rows):
        """Every training pair and every validation pair once, in order, in batches of `rows` pairs."""
        for side in (self.train, self.val):
            everything = range(len(side) // 2)
            for first in range(0, len(everything), rows):
                yield self.pairs(side, everything[first : first + rows], rows, (1, 1))


class Rows:
    """The rows of one split, which follow one another in flat files."""

    def __init__(self, bundle, side):
        dtype = bundle["data"]["dtype"]
        self.all_ids = open_file(bundle, f"{side}.bin", dtype)
        self.all_masks = open_file(bundle, f"{side}_mask.bin", "uint8")
        self.offsets = open_file(bundle, f"{side}_offsets.bin", "uint32")
        self.documents = None
        if bundle["data"]["packed"]:
            self.documents = open_file(bundle, f"{side}_documents.bin", "uint32")
            self.document_offsets = open_file(bundle, f"{side}_document_offsets.bin", "uint32")

    def __len__(self):
        return len(self.offsets) - 1

    def ids(self, row):
        return self.all_ids[self.offsets[row] : self.offsets[row + 1]]

    def mask(self, row):
        return self.all_masks[self.offsets[row] : self.offsets[row + 1]]

    def counted(self, row, row_length):
        """The number of targets of a row that count in the loss."""
        return int(self.mask(row)[1 : row_length + 1].sum())

    def document_starts(self, units, rows, row_length):
        """See `Batch`. Padding tokens are documents of their own."""
        starts = np.tile(np.arange(row_length), (rows, 1))
        for row, index in enumerate(units):
            begin, end = self.document_offsets[index], self.document_offsets[index + 1]
            offset = 0
            for size in self.documents[begin:end]:
                starts[row, offset : offset + size] = offset
                offset += int(size)
        return starts


def both_answers(pairs):
    return [row for pair in pairs for row in (2 * pair, 2 * pair + 1)]


def empty(rows, row_length, fill):
    shape = (rows, row_length)
    return Batch(np.full(shape, fill), np.full(shape, fill), np.zeros(shape, np.float32))


def open_file(bundle, name, dtype):
    """Maps a flat file of little-endian integers into memory."""
    path = bundle["root"] / "data" / name
    little = np.dtype(dtype).newbyteorder("<")
    if path.stat().st_size == 0:  # mmap refuses an empty file
        return np.zeros(0, little)
    return np.memmap(path, dtype=little, mode="r")


KINDS = {"text": Text, "examples": Examples, "pairs": Pairs}


def open_data(bundle):
    return KINDS[bundle["data"]["kind"]](bundle)


def share(units, rank, ranks):
    """The units of one rank, and the size of the largest share. A share is a contiguous block; the last
    ranks may have fewer units, or none."""
    size = -(-len(units) // ranks)
    return units[rank * size : (rank + 1) * size], size


def micro_batches(data, step, *, rank, ranks, micro_batch_size):
    """A rank's share of one step, in micro-batches of equal size. All ranks get the same number of
    micro-batches, because they gather the parameters of each together."""
    units = data.step(step)
    total = data.total(units)
    own, size = share(units, rank, ranks)
    rows = min(micro_batch_size, size)
    for first in range(0, size, rows):
        yield data.batch(own[first : first + rows], rows, total)
