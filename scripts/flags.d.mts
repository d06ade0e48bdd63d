export declare const browserFlags: string[];
export declare function launchOptions(executablePath: string | undefined): {
  executablePath: string | undefined;
  args: string[];
  ignoreDefaultArgs: string[];
};
