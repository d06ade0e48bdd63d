const COLOURS = 4;

/** Colour of an overlaid run by its position, as a CSS value. */
export const overlayColour = (index: number): string => `var(--c-over-${(index % COLOURS) + 1})`;
