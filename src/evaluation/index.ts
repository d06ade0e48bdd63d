/** What is measured of answers and choices. */
export {};
