export declare function serve(
  log: (line: string) => void,
): Promise<{ url: string; close: () => Promise<void> }>;
