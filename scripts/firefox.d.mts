export interface Firefox {
  path: string;
  version: string;
}
export declare function findFirefox(): Firefox | undefined;
