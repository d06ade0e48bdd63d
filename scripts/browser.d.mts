export interface Browser {
  path: string;
  version: string;
  how: string;
}
export declare function findInstalled(): Browser | undefined;
export declare function findBrowser(log?: (line: string) => void): Browser;
