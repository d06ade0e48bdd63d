/** The folder of the project. */
export declare const ROOT: string;
export declare function buildIfStale(log: (line: string) => void): Promise<void>;
export declare function serve(
  log: (line: string) => void,
): Promise<{ url: string; close: () => Promise<void> }>;
