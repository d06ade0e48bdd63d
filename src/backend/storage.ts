/** Long-lived tensors (parameters, gradients, optimizer state, inputs, caches), uploads and read-back. */
export {};
