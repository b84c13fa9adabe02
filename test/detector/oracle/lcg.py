"""The numbers that tests and oracles share: a 32-bit linear congruential generator, state = 1664525 * state +
1013904223 mod 2**32, value = state / 2**32; the same as ../lcg.ts."""

import numpy as np


class Lcg:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (1664525 * self.state + 1013904223) & 0xFFFFFFFF
        return self.state / 4294967296

    def uniform(self, count, low, high):
        """Float32 values low + (high - low) * next(), computed in float64."""
        return np.float32([low + (high - low) * self.next() for _ in range(count)])
